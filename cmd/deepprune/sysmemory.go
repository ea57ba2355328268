package main

import (
	"bytes"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// systemMemory is the memory in bytes that the program may have, and what is
// available of it, as Linux tells it, else zeros.
func systemMemory() (total, available int64) { return memoryOf(os.DirFS("/")) }

// memoryOf is systemMemory by the files below root: the machine's memory, or what a
// container was given of it (control groups, version 2). Pages of files are available
// too, if they were not used lately.
func memoryOf(root fs.FS) (total, available int64) {
	machine := numbers(root, "proc/meminfo")
	total, available = machine["MemTotal:"]<<10, machine["MemAvailable:"]<<10
	const group = "sys/fs/cgroup/"
	limit, limited := number(root, group+"memory.max")
	used, _ := number(root, group+"memory.current")
	if !limited || limit >= total {
		return total, available
	}
	used -= numbers(root, group+"memory.stat")["inactive_file"]
	return limit, max(0, min(available, limit-used))
}

// numbers reads a file of lines that are a name and a number.
func numbers(root fs.FS, name string) map[string]int64 {
	data, _ := fs.ReadFile(root, name) // a file that is not there has no numbers
	all := make(map[string]int64)
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 {
			all[fields[0]], _ = strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return all
}

// number reads a file that is a number, which it is not if there is no limit.
func number(root fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	return n, err == nil
}
