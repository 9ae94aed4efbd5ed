// Command matchbase makes the model that headquarters matches customers by before it has
// records of its own to learn from: out of made registrations, which hold no real person.
//
// It writes the file named on the command line. The same program writes the same bytes on
// one kind of processor; another may round a weight's last place otherwise.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"

	"branchline/cmd/rig/town"
	"branchline/hq/match"
)

// The group the base is for, and how much of one it is learned from.
const (
	population = 1_000_000
	customers  = 80_000
	seed       = 2026
	least      = 16 // parties that have a value for its frequency to be kept
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "matchbase:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("takes the file to write")
	}
	c, err := town.NewCounters(seed, customers)
	if err != nil {
		return err
	}
	var rs []match.Record
	for _, o := range c.Order() {
		r := c.Registration(int(o[0]), int(o[1]))
		rs = append(rs, match.Record{ID: r.ID, Values: r.Values()})
	}
	m, err := match.LearnSmall(context.Background(), match.CustomerFields(), rs, population, least)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(m.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(args[0], b.Bytes(), 0o600)
}
