// Package town makes up a lifelike Chinese dealer group: two legal entities, their
// branches, staff, customers, cars, ties, repair orders with lines, readings and
// notes of about two years, and what the counter wrote of late (Counter).
//
// Rules:
//   - The same Config gives the same edits, byte for byte, on every machine: all
//     chance comes from the seed, nothing from a map's order or a clock.
//   - Records name each other by Key, a word of this package. Whoever stores an
//     edit gives it an id and puts the ids of its Refs into the message.
//   - A person or car that comes to a second branch is registered there again, as
//     that desk would do it, now and then with a slip: these are the records that
//     matching must find.
//   - Numbers are well formed: VINs with their check digit, plates by GA 36-2018,
//     mobiles of ranges in use. The people, firms, makers and models are invented.
//
// Numbers that a branch gives are left out: the branch that stores a record gives it one.
package town
