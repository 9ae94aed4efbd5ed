// Package schema holds the nouns of Branchline: what an old file, an old peer
// or a person could see. Everything here is a value; nothing here does I/O.
//
// Rules:
//   - A kind of record is its protobuf message (schema/gen). What the machinery
//     must know of a field (merge rule, privacy class, search use) is an option
//     of that field, read off the descriptor by this package, never repeated.
//   - A stamp orders values: effective time, branch, incarnation, seq.
//   - A change is one committed edit of one record. Its payload bytes are what
//     was signed and chained; they are never re-encoded.
//
// It promises that every byte format it writes can be read by every later
// version. It does not know who may do what, nor where records are stored.
package schema
