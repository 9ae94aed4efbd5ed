//go:build unix

package blob

import "syscall"

// Free is the free room of a folder's disk in bytes; 0: not known.
func Free(dir string) int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0 // only told to HQ, as a hint for people
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
