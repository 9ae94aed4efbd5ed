package api

import (
	"branchline/node/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

// standing is how a branch stands with headquarters, in words for the person who
// asks: what it is, and what to do about it. Pages say the same of the word in
// their own languages.
type standing struct{ word, say, advise string }

// Standings, by the word that programs and pages know them by.
var (
	notEnrolled = standing{"NOT_ENROLLED", "not enrolled", "ask headquarters for a token (branchline hq branch add), then: branchline node --dir … --enrol FILE"}
	refused     = standing{
		"REFUSED", "headquarters turned this branch's key away: it was revoked, or headquarters was put back from a copy that does not know it",
		"work goes on and everything is kept here; ask headquarters for a new token (branchline hq branch re-enrol) and start this machine with --enrol FILE",
	}
	salvage = standing{
		"SALVAGE", "this machine is not the branch any more: another was enrolled in its place, or the branch is closed; what it had not sent lies in headquarters' quarantine",
		"stop working here; headquarters decides what becomes of the changes set aside (branchline hq quarantine list); when none waits here the machine may be cleared",
	}
	readOnly = standing{
		"READ_ONLY", "another machine runs as this branch: nothing goes up from here, and everything saved here is kept",
		"find the other machine and stop one of the two: the one that stays goes on by itself, with all it saved",
	}
	localOnly = standing{
		"LOCAL_ONLY", "upgrade needed: headquarters and this program do not speak a common version; the branch works alone until then",
		"install the version of headquarters here and start the node again",
	}
	falseAck = standing{
		"FALSE_ACK", "this branch holds acknowledgements that headquarters did not give with the key it has now: it takes nothing from here, and everything is kept",
		"at headquarters, put the right hq.seed back (it lies beside the database and in its backups) and start it again; if the key is lost, re-enrol this branch",
	}
	superseded = standing{
		"SUPERSEDED", "this is a former headquarters: a restored copy of it has taken over, so that nothing goes up or down here",
		"lead this branch to the headquarters that is to stay (branchline node --link HOST:PORT), or decide at this one: branchline hq go-on --superseded",
	}
	unknownLife = standing{
		"UNKNOWN_LIFE", "headquarters does not know this branch's log: it never issued it, or has lost all it knew; everything is kept here",
		"at headquarters run: branchline hq branch re-enrol CODE; the branch then gives all it has, by itself",
	}
	taking  = standing{"TAKING", "the branch begins a new life: it takes back what headquarters has of the one before, and sends the rest again", "nothing: wait a little; work goes on"}
	waiting = standing{
		"WAITING", "headquarters takes what is sent and gives nothing out at this moment",
		"nothing here; headquarters' own status says what it waits for and how to go on without it",
	}
	down = standing{"DOWN", "", ""}
	open = standing{"OPEN", "OPEN", ""}
)

// judge names how the branch stands.
func judge(l store.Line, st link.Status, turnedAway bool) standing {
	switch {
	case l.Identity.Branch == "":
		return notEnrolled
	case turnedAway:
		return refused
	case st.Phase == link.Taking:
		return taking
	case st.Phase == link.Salvage:
		return salvage
	case st.Phase == link.Closed || st.Phase == link.Greeting && st.Shut:
		return judgeClosed(st)
	case st.Phase == link.Open && st.FeedReason != "":
		s := waiting
		s.say += ": " + st.FeedReason
		return s
	case st.Phase == link.Open:
		return open
	}
	s := down
	s.say = st.Reason
	return s
}

// judgeClosed names why a link that stands carries nothing.
func judgeClosed(st link.Status) standing {
	switch st.Gate {
	case wirev1.Gate_REFUSED:
		return refused
	case wirev1.Gate_SALVAGE:
		return salvage
	case wirev1.Gate_READ_ONLY:
		return readOnly
	case wirev1.Gate_LOCAL_ONLY:
		return localOnly
	}
	switch {
	case st.Line == wirev1.Line_FALSE_ACK:
		return falseAck
	case st.Line == wirev1.Line_SUPERSEDED:
		return superseded
	}
	return unknownLife
}

// turns say what a new life of the branch was begun for.
var turns = map[wirev1.Resume]string{
	wirev1.Resume_FORKED:  "this folder and headquarters had parted (one of them was put back from a copy, or the folder was copied): the branch took back what it lacked and sent again what headquarters lacked; nothing is lost and nothing is to be done",
	wirev1.Resume_ADOPT:   "headquarters had lost this branch and took it in again: it was given everything this branch has; nothing is to be done",
	wirev1.Resume_REBUILD: "headquarters was put back from a copy older than what this branch has forgotten: the branch offered its records anew; look through the latest orders, and keep newer backups of headquarters",
}

// stand fills in how the branch stands.
func (h *Sites) stand(l store.Line, st link.Status, out *branchlinev1.LineStatus) {
	s := judge(l, st, h.c.Line.Refused())
	out.Verdict, out.Standing, out.Advice = s.say, s.word, s.advise
	if s.word == unknownLife.word && st.Reason != "" {
		out.Verdict += " (" + st.Reason + ")"
	}
	if !st.TurnAt.IsZero() {
		out.TurnedAt, out.Turn, out.TurnText = st.TurnAt.UnixMilli(), st.Turn.String(), turns[st.Turn]
	}
}
