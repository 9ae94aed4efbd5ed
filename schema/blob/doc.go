// Package blob keeps the bytes of attachments: a content-addressed store in a
// site's folder (Store), and what is done to a file before it goes in (Clean,
// Thumb).
//
// Rules:
//   - A blob's name is the SHA-256 of its bytes: blobs/ab/cdef… beside the
//     database. It is written under another name, fsynced, renamed, and its folder
//     fsynced, so that what bears the name is whole. It is never changed after.
//   - Whoever names a blob in a change puts the blob first.
//   - What is read is hashed again. A damaged file is set aside and counts as
//     missing, so that it can be fetched anew.
//   - What a file is, its bytes say, never its name: JPEG, PNG, WebP or PDF, up to
//     20 MiB. A picture's size is bounded before anything is decoded.
//   - Pictures lose what tells of people and places (EXIF with GPS, XMP, IPTC,
//     comments, what trails the picture); their pixels are not touched. The one thing
//     kept of EXIF is which way up the picture is. A PDF is kept as it came.
//
// It promises that Put and the last Take return nil only for a blob that is on disk
// and whole, and that a kill at any moment leaves either that or nothing under its
// name. It does not know who may see what, nor whether anybody names a blob still:
// that is for its caller, who calls Erase.
package blob
