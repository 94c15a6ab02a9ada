package cli

import (
	"testing"
	"testing/fstest"

	"github.com/linkspan/linkspan/config"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const machine = "MemTotal:       16000000 kB\nMemFree:         8000000 kB\n"
	for name, c := range map[string]struct {
		files map[string]string
		want  uint64
	}{
		"nothing known": {nil, 0},
		"a machine":     {map[string]string{"proc/meminfo": machine}, 16000000 << 10},
		"a container":   {map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		"a service": {map[string]string{
			"proc/meminfo": machine, "proc/self/cgroup": "0::/system.slice/linkspan.service\n",
			"sys/fs/cgroup/system.slice/linkspan.service/memory.max": "1073741824\n", "sys/fs/cgroup/system.slice/memory.max": "max\n",
		}, 1 << 30},
		"its slice":  {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "4096\n"}, 4096},
		"version 1":  {map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n"}, 1 << 20},
		"no limit":   {map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 16000000 << 10},
		"odd things": {map[string]string{"proc/meminfo": "MemTotal: many kB", "sys/fs/cgroup/memory.max": ""}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fstest.MapFS{}
			for file, text := range c.files {
				root[file] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := memoryLimit(root); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

// A large machine has the defaults, a small one less, and what is set stays.
func TestLimitsFitMemory(t *testing.T) {
	t.Parallel()
	tree, err := config.Parse("a.conf", "bridge.maxInFlight = 200000")
	if err != nil {
		t.Fatal(err)
	}
	all := defaultSettings()
	fitMemory(tree, &all, 64<<30)
	if d := defaultSettings(); all.Server != d.Server || all.Bridge != d.Bridge {
		t.Errorf("on 64 GB: %+v %+v", all.Server, all.Bridge)
	}
	all.Bridge.MaxInFlight = 200000 // as the tree has it
	fitMemory(tree, &all, 512<<20)
	if all.Bridge.LoginQueue != 32768 {
		t.Errorf("on 512 MB %d devices may wait for their login", all.Bridge.LoginQueue)
	}
	if all.Server.MaxPending != 64<<20 || all.Bridge.Sessions.MaxSessions != 65536 || all.Server.MaxHandshakes != 682 || all.Bridge.MaxInFlight != 200000 {
		t.Errorf("on 512 MB: %+v %+v", all.Server, all.Bridge)
	}
}
