package main

import (
	"testing"
	"testing/fstest"
)

func TestMemoryOf(t *testing.T) {
	const meminfo = "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    9000 kB\nHugePages_Total:       0\n"
	for _, test := range []struct {
		name             string
		files            map[string]string
		total, available int64
	}{
		{"nothing is known", nil, 0, 0},
		{"a machine", map[string]string{"proc/meminfo": meminfo}, 16000 << 10, 9000 << 10},
		{"no limit", map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "5\n"}, 16000 << 10, 9000 << 10},
		{"a limit above the machine", map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "99999999\n"}, 16000 << 10, 9000 << 10},
		{"a container", map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "4096000\n",
			"sys/fs/cgroup/memory.current": "3000000\n", "sys/fs/cgroup/memory.stat": "anon 1500000\ninactive_file 500000\n"}, 4096000, 1596000},
		{"a container on a full machine", map[string]string{"proc/meminfo": "MemTotal: 16000 kB\nMemAvailable: 100 kB\n",
			"sys/fs/cgroup/memory.max": "4096000\n", "sys/fs/cgroup/memory.current": "1000\n"}, 4096000, 100 << 10},
		{"a full container", map[string]string{"proc/meminfo": meminfo, "sys/fs/cgroup/memory.max": "4096000\n", "sys/fs/cgroup/memory.current": "4100000\n"}, 4096000, 0},
	} {
		root := fstest.MapFS{}
		for name, text := range test.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if total, available := memoryOf(root); total != test.total || available != test.available {
			t.Errorf("%s: %d available of %d; want %d of %d", test.name, available, total, test.available, test.total)
		}
	}
}
