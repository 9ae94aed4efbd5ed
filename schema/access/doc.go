// Package access says who may do what: one table of rules for every RPC, every page and every kind of record, at a
// branch's node and at HQ.
//
// Rules:
//   - What has no rule is denied, to everybody. A rule that lets nobody in is written down all the same: a test walks
//     every method of the API and fails for one that has none, and Pages refuses a route that has none.
//   - Roles add up: a person may do what any of their roles may, and a field is hidden only if each of them hides it.
//   - A site gives its own roles only: a branch the branch's, HQ those of HQ.
//
// It promises nothing about which records lie within a branch's scope: that is what the branch holds at all. It keeps no
// accounts and reads no request; who is asking comes in as a Caller.
package access
