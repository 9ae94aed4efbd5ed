// Package bus is the road between the branches and headquarters: HQ's embedded
// NATS server with the stream UP (Hub), a branch's embedded leaf (Leaf), and who
// may say what to whom on it. It moves opaque bytes; packs, receipts, hello and
// signatures belong to others.
//
// Subjects, as a branch b sees them:
//
//	up.<b>          a pack, on its way into UP; answered with where it lies (a Door)
//	rpc.<b>.<verb>  a question to HQ
//	ack.<b>         HQ's receipts
//	poke.<b>        HQ's word that there is something to pull
//
// Rules:
//   - One NATS account per branch, made at its first connect. It imports exactly
//     the four above, and nothing of another branch has a name in it. Exact
//     allow-lists of the leaf's permissions lie on top.
//   - Nothing a branch writes beside the payload reaches JetStream. up.<b> comes
//     out at door.<b>, where HQ's own client drops every message whose reply is
//     not one of the server's own (_R_.…), takes the branch from the subject, and
//     puts the bare payload into UP. A reply of the form $JS.ACK.…@up.b02 would
//     otherwise choose the subject HQ sees, fill another branch's share of UP and
//     stall its hello; a header would squat message ids.
//   - Every handler drops such replies likewise.
//   - UP's consumer has an unguessable name, new at each start.
//   - HQ opens one port, for leaves; a branch opens none. No monitoring, no
//     client port, no bridge of the system account, no JetStream at a branch.
//
// It promises that what a handler or Packs names as the branch is the branch
// whose key opened the link. It does not promise delivery: UP may be deleted
// under load, a Door may never come, an Ack or Poke may be lost. Only HQ's
// watermark counts, and it is not known here.
package bus
