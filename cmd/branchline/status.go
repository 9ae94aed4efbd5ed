package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func statusCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "how a site stands with the others", Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			l, err := s.self.GetLine(c.Context, &branchlinev1.Empty{})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, l)
			}
			w := c.App.Writer
			fmt.Fprintf(w, "%s %s, version %s\n", l.GetRole(), l.GetBranch(), l.GetVersion())
			if l.GetRole() == "node" {
				state := "cut off from HQ, working on"
				if l.GetLinked() {
					state = "linked with HQ"
				}
				fmt.Fprintf(w, "%s; last heard %s; %s\n", state, ago(e.now(), l.GetLastHeard()), l.GetVerdict())
				if l.GetTurnedAt() > 0 {
					fmt.Fprintf(w, "%s: %s\n", timeText(l.GetTurnedAt()), l.GetTurnText())
				}
				fmt.Fprintf(w, "%d changes wait here, %d at HQ's door; HQ has stored %d of %d\n", l.GetSaved(), l.GetAtDoor(), l.GetWatermark(), l.GetLastSeq())
				fmt.Fprintf(w, "feed at %d of %d\n", l.GetFeedRev(), l.GetHqRev())
				fmt.Fprintf(w, "customers known elsewhere: %s\n", knownText(e.now(), l.GetKnownElsewhere()))
			}
			if l.GetRole() != "node" && l.GetStanding() != "OPEN" {
				fmt.Fprintln(w, l.GetVerdict())
			}
			if l.GetAdvice() != "" {
				fmt.Fprintln(w, "→", l.GetAdvice())
			}
			fmt.Fprintf(w, "%d records; %d changes to look at\n", l.GetRecords(), l.GetLookAt()+l.GetQuarantined())
			fmt.Fprintf(w, "%s, %d not at HQ; %d MB free on the disk\n", filesText(l.GetFiles(), l.GetFileBytes()), l.GetFilesWaiting(), l.GetDiskFree()>>20)
			for _, x := range l.GetWarnings() {
				fmt.Fprintln(w, "!", x)
			}
			return nil
		},
	}
}

// knownText says what a branch can tell strangers of the group from.
func knownText(now time.Time, k *branchlinev1.KnownElsewhere) string {
	if k == nil {
		return "headquarters' filter has not come yet: nobody is told to be perhaps known elsewhere"
	}
	return fmt.Sprintf("a filter of %d phones, ids and VINs, %s, made %s", k.GetEntries(), fmt.Sprintf("%.1f kB", float64(k.GetBytes())/1000), ago(now, k.GetMadeAt()))
}

func verifyCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "verify", Usage: "compare this branch's records with HQ's at a common cut; exit 5 when they differ", Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			r, err := s.self.Verify(c.Context, &branchlinev1.Empty{})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := printJSON(c.App.Writer, r); err != nil {
					return err
				}
			} else {
				fmt.Fprintf(c.App.Writer, "%d records compared: %s\n", r.GetRecords(), r.GetNote())
				for _, d := range r.GetDiffering() {
					fmt.Fprintln(c.App.Writer, " ", d)
				}
				fmt.Fprintf(c.App.Writer, "%d files of attachments read\n", r.GetFiles())
				for _, d := range r.GetFilesMissing() {
					fmt.Fprintln(c.App.Writer, "  the file of", d, "is not here or was damaged: it is fetched again")
				}
			}
			if !r.GetSame() && c.Bool("json") {
				return &saidError{exitDiffers}
			}
			if !r.GetSame() {
				if len(r.GetDiffering()) == 0 {
					return fmt.Errorf("files %w from what attachments name", errDiffers)
				}
				return fmt.Errorf("%d records %w from HQ's: branchline repair fetches them again", len(r.GetDiffering()), errDiffers)
			}
			return nil
		},
	}
}

func repairCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "repair", Usage: "fetch this branch's copy again from HQ; unsent changes are not touched", Flags: append(siteFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			s, err := e.site(c)
			if err != nil {
				return err
			}
			_, err = s.self.Repair(c.Context, &branchlinev1.Empty{})
			return err
		},
	}
}

func timeText(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).Format("2006-01-02 15:04:05")
}

func joined(s []string) string { return strings.Join(s, "; ") }
