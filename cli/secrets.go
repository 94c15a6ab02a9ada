package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/upstream"
)

// secretsDir is the folder of the data directory for files that the configuration
// does not name: secrets that platforms give out once, and bindings. It is empty
// unless a data directory is in use: for the queue, or because the configuration
// names one.
func secretsDir(tree *config.Tree, data datadir.Config, mode, baseDir string) string {
	if mode == queue.ModeOff && !tree.Has("data.directory") || data.Directory == "" {
		return ""
	}
	beside(baseDir, &data.Directory)
	return filepath.Join(data.Directory, datadir.Secrets)
}

// keeping is where connectors keep secrets.
type keeping struct {
	dir  string            // the folder of the data directory; empty: there is none
	used map[string]string // the files that are written, and whose they are
	make []string          // folders of the data directory that there have to be
	warn func(error)
}

// place has the connector of a section keep its secrets in the folder of that name, or in
// the data directory's own, unless the configuration says where, or they are elsewhere
// already.
func (k *keeping) place(tree *config.Tree, section, name string, defaults any) any {
	keeper, ok := defaults.(upstream.Keeper)
	if !ok || k.dir == "" {
		return defaults
	}
	moved := keeper.KeepIn(filepath.Join(k.dir, name))
	before, _ := keeper.Keeps()
	after, _ := moved.(upstream.Keeper).Keeps() //nolint:forcetypeassert // of the same type
	if _, err := os.Stat(before); err != nil {
		return moved
	}
	if _, err := os.Stat(after); err == nil {
		return moved
	}
	if own, err := tree.DecodeNew(section, defaults); err == nil {
		if path, used := own.(upstream.Keeper).Keeps(); used && path == before { //nolint:forcetypeassert // as above
			k.warn(tree.Errorf(section, fmt.Sprintf("secrets stay in %s, which was there before the data directory", before), "stop linkspan and move it to "+after))
		}
	}
	return defaults
}

// note remembers the file that a connector keeps. Two of them cannot have the same.
func (k *keeping) note(tree *config.Tree, section string, own any) error {
	keeper, ok := own.(upstream.Keeper)
	if !ok {
		return nil
	}
	path, used := keeper.Keeps()
	if !used {
		return nil
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	if other, taken := k.used[path]; taken {
		return tree.Errorf(section, fmt.Sprintf("keeps secrets in %s, as %s does: one would overwrite the other's", path, other), "name another file")
	}
	k.used[path] = section
	if dir, err := filepath.Abs(k.dir); err == nil && k.dir != "" {
		if inside, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(inside) {
			k.make = append(k.make, filepath.Dir(path))
		}
	}
	return nil
}

// keepBindings puts the file of bindings into the data directory, unless the
// configuration names one, or there is one in the old place already. It says whether
// it did.
func keepBindings(tree *config.Tree, dir string, path *string) bool {
	if dir == "" || tree.Has("devices.bindings") {
		return false
	}
	moved := filepath.Join(dir, filepath.Base(*path))
	if _, err := os.Stat(*path); err == nil {
		if _, err = os.Stat(moved); err != nil {
			return false
		}
	}
	*path = moved
	return true
}
