package front

import (
	"embed"
	"io/fs"
)

//go:embed words/*.toml
var wordFiles embed.FS

// Words is the catalogue of this package. A site that uses it gives it to look.New.
func Words() fs.FS {
	f, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return f
}
