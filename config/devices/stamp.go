package devices

import (
	"os"
	"slices"
	"time"
)

// stamp is what a file looked like, to see later whether it has changed. Links
// are followed, so that swapping one is a change.
type stamp struct {
	path  string
	info  os.FileInfo // nil when there was none
	names []string    // of a directory's entries
}

func stampOf(path string) stamp {
	s := stamp{path: path}
	info, err := os.Stat(path)
	if err != nil {
		return s
	}
	s.info = info
	if !info.IsDir() {
		return s
	}
	entries, _ := os.ReadDir(path) // as far as it can be read
	for _, e := range entries {
		s.names = append(s.names, e.Name())
	}
	return s
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == nil && o.info == nil
	}
	if s.info.IsDir() && o.info.IsDir() {
		return slices.Equal(s.names, o.names) // of its files there are stamps
	}
	return os.SameFile(s.info, o.info) && s.size() == o.size() && s.modified().Equal(o.modified())
}

// asReadable says that nobody has changed who may read it.
func (s stamp) asReadable(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == nil && o.info == nil
	}
	user, group := ownerOf(s.info)
	otherUser, otherGroup := ownerOf(o.info)
	return s.info.Mode() == o.info.Mode() && user == otherUser && group == otherGroup
}

func (s stamp) size() int64         { return s.info.Size() }
func (s stamp) modified() time.Time { return s.info.ModTime() }

// stamps are those of all files that belong together.
type stamps []stamp

// add takes the stamp of path, if there is none yet: of a file that is read
// several times the first one counts.
func (s *stamps) add(path string) {
	if !slices.ContainsFunc(*s, func(o stamp) bool { return o.path == path }) {
		*s = append(*s, stampOf(path))
	}
}

// now are the stamps of the same paths as they are now.
func (s stamps) now() stamps {
	all := make(stamps, len(s))
	for i := range s {
		all[i] = stampOf(s[i].path)
	}
	return all
}

func (s stamps) same(o stamps) bool { return slices.EqualFunc(s, o, stamp.same) }

func (s stamps) asReadable(o stamps) bool { return slices.EqualFunc(s, o, stamp.asReadable) }

// changed is the first path that looks otherwise now, empty if none does.
func (s stamps) changed() string {
	for i := range s {
		if !s[i].same(stampOf(s[i].path)) {
			return s[i].path
		}
	}
	return ""
}
