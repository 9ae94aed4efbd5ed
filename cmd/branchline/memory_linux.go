package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetProgram has the kernel forget which pages of the program's own file are
// mapped. Starting and working touches most of them, forty megabytes, and a site at
// rest needs few. Only mappings that nothing was written to are let go, so that
// what is needed again is there again: from the kernel's cache of the file, or the
// file. It is a courtesy to the machine; where it fails nothing is amiss.
func forgetProgram() {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer f.Close() // read only
	var from, to uint64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 6 && strings.Contains(fields[0], "-"):
			from, to = 0, 0
			if fields[1] != "r--p" && fields[1] != "r-xp" || strings.Join(fields[5:], " ") != exe {
				continue
			}
			a, b, _ := strings.Cut(fields[0], "-")
			lo, err1 := strconv.ParseUint(a, 16, 64)
			hi, err2 := strconv.ParseUint(b, 16, 64)
			if err1 == nil && err2 == nil {
				from, to = lo, hi
			}
		case len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0" && to > from:
			// The error is the kernel's "no".
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(from), uintptr(to-from), syscall.MADV_DONTNEED)
		}
	}
}
