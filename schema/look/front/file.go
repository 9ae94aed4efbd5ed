package front

import (
	"net/http"
	"os"
	"time"

	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// GiveFile answers with the file of an attachment, or its thumbnail; id names what it is saved as. The browser keeps it and
// asks each time whether it still may show it: another person may sit at the same desk.
func GiveFile(w http.ResponseWriter, r *http.Request, id string, m *branchlinev1.Attachment, thumb bool, f *os.File) {
	typ, how, hash := blob.JPEG, "inline", m.GetThumbHash()
	ending := ".jpg"
	if !thumb {
		hash = m.GetHash()
		switch typ = m.GetMediaType(); typ {
		case blob.JPEG:
		case blob.PNG:
			ending = ".png"
		case blob.WebP:
			ending = ".webp"
		case blob.PDF:
			how, ending = "attachment", ".pdf"
		default:
			typ, how, ending = "application/octet-stream", "attachment", ".bin"
		}
	}
	h := w.Header()
	h.Set("Content-Type", typ)
	h.Set("Content-Disposition", how+`; filename="`+id+ending+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cache-Control", "private, no-cache")
	if named, err := blob.HashFrom(hash); err == nil {
		h.Set("ETag", `"`+named.String()+`"`)
	}
	http.ServeContent(w, r, "", time.Time{}, f)
}

// ThumbSize is how large the thumbnail of a picture is, so that the page does not move when it comes.
func ThumbSize(w, h int) (int, int) {
	long := max(w, h, 1)
	if long <= blob.ThumbSide {
		return w, h
	}
	return max(1, w*blob.ThumbSide/long), max(1, h*blob.ThumbSide/long)
}
