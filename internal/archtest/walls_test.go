package archtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	gnet       = "github.com/panjf2000/gnet"
	prometheus = "github.com/prometheus"
	cobra      = "github.com/spf13/cobra"
	paho       = "github.com/eclipse/paho.mqtt.golang"
	mochi      = "github.com/mochi-mqtt"
)

// A wall says which packages of ours the packages of a room may import, and
// what neither they nor anything of ours below them may.
type wall struct {
	room  string   // a package, or with /* behind it those below it
	ours  []string // rooms, themselves and all below them; "" is everything
	never []string // packages, themselves and all below them
	but   []string // packages that never does not mean
}

// pure is what a codec has no business with.
var pure = []string{"net", "os", "log", "sync", "syscall", "runtime", "unsafe", "math/rand", "go.uber.org", gnet, prometheus, cobra, paho, mochi}

// A room has the longest wall that fits it.
var walls = []wall{
	{room: "codec", never: append([]string{"time"}, pure...)},
	{room: "codec/*", ours: []string{"codec"}, never: pure, but: []string{"sync"}},
	{room: "thing", never: []string{"net", "os", "log", "go.uber.org", gnet, prometheus, paho, mochi}},
	{room: "thing/input", ours: []string{"thing"}, never: []string{"net", "os", "log", "go.uber.org", gnet, prometheus, paho, mochi}},
	{room: "auth", never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}},
	{room: "auth/*", ours: []string{"auth"}, never: []string{"log", gnet, prometheus, cobra, paho, mochi}},
	{room: "session", ours: []string{"internal/wheel"}, never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"}},
	{
		room: "protocol", ours: []string{"codec", "session", "thing"},
		never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{
		room: "adapters/*", ours: []string{"codec", "protocol", "session", "thing"},
		never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{ // keys of its codes are secrets, and multimedia goes into files
		room: "adapters/jt808", ours: []string{"adapters/internal", "auth", "codec", "protocol", "session", "thing"},
		never: []string{"net", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{ // profiles may come from tables in files
		room: "adapters/modbus", ours: []string{"adapters/internal", "adapters/modbus", "codec", "protocol", "session", "thing"},
		never: []string{"net", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{ // refusals for good are told from those for now
		room: "adapters/gbt26875", ours: []string{"adapters/internal", "auth", "codec", "protocol", "session", "thing"},
		never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{room: "upstream", ours: []string{"auth", "thing"}, never: []string{"net", "os", "log", gnet, prometheus, paho, mochi}},
	{room: "upstream/*", ours: []string{"upstream", "auth", "thing", "internal/quiet"}, never: []string{"log", gnet, prometheus, mochi}},
	{
		room: "bridge", ours: []string{"auth", "session", "thing", "upstream", "internal/alarmclock", "internal/quiet", "internal/wheel"},
		never: []string{"net", "log", gnet, prometheus, paho, mochi}, but: []string{"net/netip"},
	},
	{
		room: "bridge/queue", ours: []string{"auth", "bridge/queue/segment", "internal/alarmclock", "internal/quiet", "internal/wheel", "thing", "upstream"},
		never: []string{"net", "log", gnet, prometheus, paho, mochi},
	},
	{ // commands wait in a log as messages do
		room: "bridge/away", ours: []string{"auth", "bridge/queue", "internal/alarmclock", "internal/quiet", "internal/wheel", "thing", "upstream"},
		never: []string{"net", "log", gnet, prometheus, paho, mochi},
	},
	{room: "bridge/queue/segment", ours: []string{"auth", "internal/datadir"}, never: []string{"net", "log", gnet, prometheus, paho, mochi}},
	{room: "server", ours: []string{"auth", "codec", "protocol", "session", "internal/wheel", "server/keystore"}, never: []string{"log", "go.uber.org/zap/zaptest", prometheus, paho, mochi}},
	{room: "config", ours: []string{"config/hocon"}, never: []string{"log", gnet, prometheus, cobra, paho, mochi}},
	{room: "config/*", ours: []string{"config", "auth", "internal/filelock"}, never: []string{"log", gnet, prometheus, cobra, paho, mochi}},
	{room: "platform", ours: []string{"auth", "thing", "platform", "internal/filelock"}, never: []string{gnet, prometheus, paho}},
	{room: "simulate", ours: []string{"codec", "simulate"}, never: []string{gnet, prometheus, paho, mochi}},
	{room: "standard", ours: []string{"adapters", "auth", "upstream"}},
	{room: "cmd", ours: []string{"cli", "standard"}},
	{room: "cli", ours: []string{""}, never: []string{"testing"}},
	{room: "internal/wheel", never: []string{"net", "os", "log", gnet, prometheus}},
	{room: "internal/quiet", never: []string{"net", "os", "log", "go.uber.org", gnet, prometheus}},
	{room: "internal", ours: []string{""}},
}

// free are the rooms around which there is no wall.
var free = []string{".", "examples", "bench", "test"}

func TestWalls(t *testing.T) {
	t.Parallel()
	all := sources(t)
	imports := importsOf(all)
	for _, w := range walls {
		rooms := slices.DeleteFunc(slices.Collect(maps.Keys(imports)), func(pkg string) bool { return wallOf(pkg) != w.room })
		if len(rooms) == 0 {
			t.Logf("there is no package behind the wall of %s", w.room)
		}
		for _, pkg := range rooms {
			for _, breach := range w.breaches(imports, pkg) {
				t.Error(breach)
			}
		}
	}
	for pkg := range imports {
		if wallOf(pkg) == "" && !slices.ContainsFunc(free, func(room string) bool { return under(pkg, room) }) {
			t.Errorf("%s is a room without a wall: add it to walls", pkg)
		}
	}
}

// breaches is what is wrong with the imports of pkg.
func (w wall) breaches(imports map[string][]string, pkg string) (found []string) {
	ours := w.ours
	if isKit(pkg) { // a kit tests the room it is in
		ours = append(slices.Clone(ours), w.room, strings.TrimSuffix(w.room, "/*"))
	}
	for _, imp := range imports[pkg] {
		rel, own := cutModule(imp)
		allowed := func(room string) bool { return room == "" || under(rel, room) }
		if own && rel != pkg && !slices.ContainsFunc(ours, allowed) {
			found = append(found, pkg+" imports "+rel+"; of ours it may import only: "+strings.Join(ours, ", "))
		}
	}
	reach(imports, pkg, map[string]bool{}, func(via, imp string) {
		if isKit(pkg) && !strings.HasPrefix(imp, gnet) {
			return // a kit may need what its room must not have, such as a logger
		}
		if covers(w.never, imp) && !covers(w.but, imp) {
			found = append(found, pkg+" reaches "+imp+", imported by "+via)
		}
	})
	return slices.Compact(found)
}

// wallOf is the room of the wall around pkg; empty when there is none.
func wallOf(pkg string) (room string) {
	longest := -1
	for _, w := range walls {
		base, below := strings.CutSuffix(w.room, "/*")
		if below && !strings.HasPrefix(pkg, base+"/") || !under(pkg, base) {
			continue
		}
		if size := len(w.room); size > longest {
			room, longest = w.room, size
		}
	}
	return room
}

// reach visits every import of pkg and of the packages of ours below it.
func reach(imports map[string][]string, pkg string, seen map[string]bool, visit func(via, imp string)) {
	if seen[pkg] {
		return
	}
	seen[pkg] = true
	for _, imp := range imports[pkg] {
		visit(pkg, imp)
		if rel, own := cutModule(imp); own {
			reach(imports, rel, seen, visit)
		}
	}
}

func cutModule(imp string) (rel string, own bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

func covers(prefixes []string, imp string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return under(imp, prefix) })
}

func under(pkg, prefix string) bool { return pkg == prefix || strings.HasPrefix(pkg, prefix+"/") }

// A wall that nothing can break is no wall: these are breaches.
func TestBreachesAreFound(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{
		"codec":            {"errors"},
		"codec/acme":       {"time", module + "/codec"},
		"codec/bad":        {"net/netip", module + "/thing"},
		"codec/codectest":  {"testing", "os", module + "/codec"},
		"thing":            nil,
		"session":          {"net/netip"},
		"protocol":         {"net/netip", module + "/session"},
		"adapters/acme":    {module + "/protocol", module + "/codec/acme"},
		"adapters/bad":     {module + "/server", module + "/adapters/acme"},
		"server":           {gnet + "/v2", module + "/protocol"},
		"upstream/acme":    {module + "/upstream"},
		"upstream/bad":     {module + "/upstream/acme", module + "/protocol", gnet + "/v2"},
		"upstream":         {module + "/thing"},
		"bridge":           {"os", module + "/upstream", module + "/bridge/queue"},
		"platform":         {"log/slog"},
		"platform/gateway": {module + "/platform/things", module + "/upstream/acme"},
		"platform/things":  {module + "/thing"},
	}
	want := map[string][]string{
		"codec/bad":        {"codec/bad imports thing; of ours it may import only: codec", "codec/bad reaches net/netip, imported by codec/bad"},
		"adapters/bad":     {"adapters/bad imports server", "adapters/bad imports adapters/acme", "adapters/bad reaches " + gnet + "/v2, imported by server"},
		"upstream/bad":     {"upstream/bad imports protocol", "upstream/bad reaches " + gnet + "/v2, imported by upstream/bad"},
		"bridge":           {"bridge imports bridge/queue"},
		"platform/gateway": {"platform/gateway imports upstream/acme"},
	}
	for pkg := range imports {
		i := slices.IndexFunc(walls, func(w wall) bool { return w.room == wallOf(pkg) })
		if i < 0 {
			t.Errorf("%s has no wall", pkg)
			continue
		}
		got := walls[i].breaches(imports, pkg)
		if !slices.EqualFunc(got, want[pkg], strings.HasPrefix) {
			t.Errorf("%s: breaches\n got %q\nwant %q", pkg, got, want[pkg])
		}
	}
}
