// Package match says which records of a file or a group are one customer (or one
// shop, paper, product), and why.
//
// Rules:
//   - Clusters are a pure function of facts: the live records, what people decided
//     (same, different) and one Model. Nothing depends on the order of arrival, on
//     map order or on a clock, so a stream gives what a batch gives.
//   - A Model is learned without labels from records alone (Learn) and never changes;
//     its Version is the hash of its bytes. Frequencies, weights and the keys too
//     common to find anybody by are in it, not in the records seen so far. Of these
//     two things alone are counted: how many have a key (Long), and under how many
//     names they have what would be somebody's own (Own).
//   - All scores are whole centi-bits (Bits). Floating point is used in Learn only,
//     over records sorted by id.
//   - A pair is one when that explains what agrees and differs better than every
//     other story does: two strangers, or two parties who share a household or site
//     (telephone, address, plate, car). Against the second story shared things prove
//     nothing, so one household's evidence is counted once, whatever its amount.
//   - A rare value proves more than a common one; a value many different parties give
//     proves nothing. Frequencies count parties, not records.
//   - Two parties whose full names conflict, and a person and a company, are not
//     joined by a chain of others, where the model found that such pairs are never one.
//
// A telephone, e-mail address, national id, plate or VIN is somebody's own: one party's, or
// one household's. The model may take it for rare where a shop types its own number for
// everybody who will not give his. So what the live records of more than Long (96) names have
// is nobody's own, whatever the model knows of it: it is left out of all of them, as if
// nobody had said it, for as long as so many names have it (Model.Without). Names are told
// apart by NameOf. One name's records, however many, count once: the telephone of a company
// of 300 registrations stays its own. When the line is crossed, either way, all who have the
// value are compared anew, which takes as long as putting all of them in.
//
// A caller with a database of its own keeps keys and edges in tables and is built from
// the same pieces as Engine: Model.Prepare, Prepared.Keys and Prepared.Word (found by, see
// Long), Model.Without (where something is nobody's own), Model.Score (an edge where Near),
// Model.Component (the clusters of what edges that join and decisions hold together, and
// what to ask of them), Between (what an edge into another component asks), Model.Explain
// and Path.
//
// It has no database, no clock and no globals. What it promises: for equal facts,
// equal clusters; a change touches its own component only. It does not promise that
// clusters are right: Alarms names those that look as if they swallow everything. Nor that
// a change is cheap where a component is large: it costs what looking at the component
// costs. Components are large where thousands of records are one by all they say, or where
// thousands of names, many of them alike, stand at one address that the model takes for rare;
// one telephone under many names makes none.
package match
