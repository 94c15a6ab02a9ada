package cli

import (
	"bufio"
	"io/fs"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/config"
)

// memoryLimit is how many bytes the process may use: what its control group
// allows (systemd's MemoryMax, a container's limit), or else what the machine has;
// 0 when nobody says. root is the file system's.
func memoryLimit(root fs.FS) uint64 {
	limit := uint64(math.MaxUint64)
	for _, name := range groupFiles(root) {
		if text, err := fs.ReadFile(root, name); err == nil {
			if n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil { // "max" is no number
				limit = min(limit, n)
			}
		}
	}
	if text, err := fs.ReadFile(root, "proc/meminfo"); err == nil {
		var kilobytes uint64
		if first, _, _ := strings.Cut(string(text), " kB"); strings.HasPrefix(first, "MemTotal:") {
			kilobytes, _ = strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(first, "MemTotal:")), 10, 64)
		}
		if kilobytes > 0 {
			limit = min(limit, kilobytes<<10)
		}
	}
	if limit == math.MaxUint64 {
		return 0
	}
	return limit
}

// groupFiles are where limits of the process's control group may stand, in both
// versions; those above it hold too.
func groupFiles(root fs.FS) []string {
	names := []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"}
	file, err := root.Open("proc/self/cgroup")
	if err != nil {
		return names
	}
	defer func() { _ = file.Close() }() // nothing was written
	for lines := bufio.NewScanner(file); lines.Scan(); {
		path, found := strings.CutPrefix(lines.Text(), "0::/") // of version 2
		for ; found && path != ""; path = path[:max(strings.LastIndexByte(path, '/'), 0)] {
			names = append(names, "sys/fs/cgroup/"+path+"/memory.max")
		}
	}
	return names
}

// What one of each takes at the most, roughly.
const (
	sessionBytes   = 4 << 10 // with its connection
	inFlightBytes  = 2 << 10
	handshakeBytes = 96 << 10
	commandBytes   = 4 << 10 // that waits
)

// fitMemory makes limits that nobody has set fit into so many bytes: a small
// machine refuses what it could not hold, in place of dying of it.
func fitMemory(tree *config.Tree, s *settings, limit uint64) {
	if limit == 0 {
		return
	}
	fit := func(key string, value *int, share, each uint64) {
		if !tree.Has(key) {
			*value = min(*value, int(max(limit/share/each, 1))) //nolint:gosec // below the value
		}
	}
	fit("server.maxPending", &s.Server.MaxPending, 8, 1)
	fit("server.maxHandshakes", &s.Server.MaxHandshakes, 8, handshakeBytes)
	fit("away.maxCommands", &s.Away.MaxCommands, 16, commandBytes)
	if !tree.Has("away.maxBytes") {
		s.Away.MaxBytes = min(s.Away.MaxBytes, int64(limit/16)) //nolint:gosec // below the value
	}
	fit("bridge.maxInFlight", &s.Bridge.MaxInFlight, 8, inFlightBytes)
	fit("bridge.loginQueue", &s.Bridge.LoginQueue, 4, sessionBytes) // of whom each has a connection, and no session yet
	fit("bridge.sessions.maxSessions", &s.Bridge.Sessions.MaxSessions, 2, sessionBytes)
}

// limitMemory makes the garbage collector work harder rather than have the process
// killed, unless GOMEMLIMIT says otherwise.
func limitMemory(limit uint64) {
	if limit > 0 && limit < math.MaxInt64 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(limit / 10 * 9)) //nolint:gosec // checked
	}
}
