// Package link is what a branch and headquarters say to each other once the
// road (package bus) is there: hello, sender, receipts, feed, heartbeats.
//
// It has two halves. The questions of a hello (JudgeGate, JudgeLine, JudgeLife,
// GoodCursor) are pure functions over facts that HQ gathers. Core is the branch's
// side, a state machine: one goroutine drives it, it reads no clock, opens no
// socket and makes no decision by the order in which its owner's goroutines run.
// Driver runs a Core over a bus.Leaf; the simulator drives one by hand.
//
// Rules:
//   - HQ's signed watermark is the only acknowledgement. A door answer moves the
//     window and a badge, nothing else.
//   - A receipt counts only if its signature is HQ's, its incarnation the branch's
//     own and its chain hash the branch's own at that seq. Otherwise: hello.
//   - The sender goes back to the watermark when a receipt names a gap seen in
//     the present gen, when UP was worked off past a pack and the watermark stayed
//     short of it, or when UP is another stream. Never because time went by.
//   - Nothing flows before a hello is answered, and nothing after one that did
//     not end in OPEN but what its verdict allows.
//
// It promises that a change the store gave out reaches HQ's watermark once the
// link stands long enough, whatever was lost, doubled or reordered on the way.
// It does not promise order between incarnations, nor that a page arrives by any
// time.
package link
