package blob

import (
	"bytes"
	"fmt"

	"branchline/schema"
)

// The media types that are taken.
const (
	JPEG = "image/jpeg"
	PNG  = "image/png"
	WebP = "image/webp"
	PDF  = "application/pdf"
)

// maxPixels bounds a picture before anything is decoded; maxSide is what a JPEG can have.
const (
	maxPixels = 64 << 20
	maxSide   = 65535
)

// Why says why a file is not taken.
type Why string

// The reasons.
const (
	WrongType Why = "wrong_type" // none of those taken
	Damaged   Why = "damaged"    // it begins as a picture and is none
	TooMany   Why = "pixels"     // more pixels than anything here looks at
	Empty     Why = "empty"
)

// RefusedError is a file that is not taken, whatever is said of it. errors.Is(err, schema.ErrInvalid) holds.
type RefusedError struct{ Why Why }

func (e *RefusedError) Error() string {
	switch e.Why {
	case WrongType:
		return "file: only JPEG, PNG and WebP pictures and PDF are taken"
	case TooMany:
		return fmt.Sprintf("file: the picture has more than %d million pixels", maxPixels>>20)
	case Empty:
		return "file: it is empty"
	}
	return "file: the picture is damaged"
}

// Is makes errors.Is(err, schema.ErrInvalid) hold.
func (e *RefusedError) Is(target error) bool { return target == schema.ErrInvalid }

// File is a file as it is kept.
type File struct {
	Type          string
	Bytes         []byte
	Width, Height int // as it is to be seen; 0 for what is no picture

	turn   int   // EXIF orientation, 1 to 8
	memory int64 // that decoding takes, in bytes
}

// Clean finds out what a file is and strips a picture of what tells of people and places, without touching a pixel.
// Cleaning what was cleaned changes nothing. *RefusedError; schema.ErrTooLarge above MaxFile.
func Clean(raw []byte) (*File, error) {
	switch {
	case len(raw) == 0:
		return nil, &RefusedError{Empty}
	case len(raw) > MaxFile:
		return nil, fmt.Errorf("blob: a file may have %d MiB: %w", MaxFile>>20, schema.ErrTooLarge)
	}
	f := &File{Bytes: raw, turn: 1}
	var err error
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xd8\xff")):
		f.Type = JPEG
		err = f.cleanJPEG()
	case bytes.HasPrefix(raw, pngHead):
		f.Type = PNG
		err = f.cleanPNG()
	case len(raw) >= 16 && string(raw[:4]) == "RIFF" && string(raw[8:12]) == "WEBP":
		f.Type = WebP
		err = f.cleanWebP()
	case bytes.HasPrefix(raw, []byte("%PDF-")):
		f.Type = PDF
	default:
		err = &RefusedError{WrongType}
	}
	if err != nil {
		return nil, err
	}
	if f.turn >= 5 {
		f.Width, f.Height = f.Height, f.Width
	}
	return f, nil
}

// sized notes a picture's size and refuses what nobody should decode.
func (f *File) sized(w, h int) error {
	if w <= 0 || h <= 0 || w > maxSide || h > maxSide {
		return &RefusedError{Damaged}
	}
	if int64(w)*int64(h) > maxPixels {
		return &RefusedError{TooMany}
	}
	f.Width, f.Height = w, h
	return nil
}
