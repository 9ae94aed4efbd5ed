package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"branchline/schema"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/serve"
)

// siteFlags say which running site a command means.
func siteFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "dir", Usage: "folder of a site running on this machine"},
		&cli.StringFlag{Name: "at", Usage: "address of a site elsewhere, https://host:port, with BRANCHLINE_TOKEN"},
		&cli.StringFlag{Name: "ca", Usage: "with --at: SHA-256 fingerprint of the group's certificate authority", EnvVars: []string{"BRANCHLINE_CA"}},
	}
}

// site is a running site as a command sees it.
type site struct {
	records  branchlinev1connect.RecordServiceClient
	self     branchlinev1connect.SiteServiceClient
	hq       branchlinev1connect.HeadquartersServiceClient
	accounts branchlinev1connect.AccountServiceClient
	client   *serve.Client
}

// site finds the site the flags mean. It opens no file but the folder's run.json.
func (e *env) site(c *cli.Context) (*site, error) {
	dir, at := c.String("dir"), c.String("at")
	switch {
	case dir != "" && at != "":
		return nil, usage("give --dir or --at, not both")
	case dir != "":
		run, err := serve.Find(dir)
		if err != nil {
			return nil, err
		}
		cl, err := run.Client()
		if err != nil {
			return nil, err
		}
		return newSite(cl), nil
	case at != "":
		token := os.Getenv("BRANCHLINE_TOKEN")
		if token == "" {
			return nil, usage("--at needs a bearer token in BRANCHLINE_TOKEN: make one by branchline account token")
		}
		cl, err := serve.NewClient(at, token, c.String("ca"))
		if err != nil {
			if errors.Is(err, schema.ErrInvalid) {
				return nil, usage("%v", err)
			}
			return nil, err
		}
		return newSite(cl), nil
	}
	return nil, usage("say which site: --dir FOLDER of one running here, or --at URL")
}

func newSite(c *serve.Client) *site {
	return &site{records: c.Records, self: c.Sites, hq: c.Headquarters, accounts: c.Accounts, client: c}
}

// needDir is --dir of a command that makes or opens a site's folder.
func needDir(c *cli.Context) (string, error) {
	dir := c.String("dir")
	if dir == "" {
		return "", usage("%s: --dir is missing: the site's folder, made when it is not there", c.Command.FullName())
	}
	if fi, err := os.Stat(dir); err == nil && !fi.IsDir() {
		return "", fmt.Errorf("%s is a file, not a folder: %w", dir, schema.ErrInvalid)
	}
	return dir, nil
}
