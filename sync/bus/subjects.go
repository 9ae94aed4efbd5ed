package bus

import (
	"regexp"
	"strings"

	"github.com/nats-io/nats-server/v2/server"

	"branchline/schema"
)

const (
	upStream = "UP"
	// replyMark begins every reply subject that the server itself made for a
	// service import. A reply that begins otherwise was chosen by a branch.
	replyMark = "_R_."
)

func upSubject(b schema.BranchID) string   { return "up." + string(b) }
func doorSubject(b schema.BranchID) string { return "door." + string(b) }
func ackSubject(b schema.BranchID) string  { return "ack." + string(b) }
func pokeSubject(b schema.BranchID) string { return "poke." + string(b) }
func inboxPrefix(b schema.BranchID) string { return "_INBOX_" + string(b) }
func account(b schema.BranchID) string     { return "BR_" + string(b) }

func rpcSubject(b schema.BranchID, verb string) string { return "rpc." + string(b) + "." + verb }

var verbForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

// branchOf reads <head>.<branch> or <head>.<branch>.<tail>; nothing else passes.
func branchOf(subject, head, tail string) (schema.BranchID, bool) {
	t := strings.Split(subject, ".")
	want := 2
	if tail != "" {
		want = 3
	}
	if len(t) != want || t[0] != head || (tail != "" && t[2] != tail) {
		return "", false
	}
	b, err := schema.ParseBranchID(t[1])
	return b, err == nil && b != schema.HQ
}

// permissions are allow-lists only: denials have been bypassed by wildcards
// before. Publish is what the leaf may send to HQ, Subscribe what it may get.
func permissions(b schema.BranchID, verbs []string) *server.Permissions {
	pub := []string{upSubject(b)}
	for _, v := range verbs {
		pub = append(pub, rpcSubject(b, v))
	}
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: pub},
		Subscribe: &server.SubjectPermission{Allow: []string{inboxPrefix(b) + ".>", ackSubject(b), pokeSubject(b)}},
	}
}
