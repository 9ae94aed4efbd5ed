package looktest

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// emulate is called as Chromium of every age calls it; its parameters are those of network.OverrideNetworkState.
var emulate = cdp.Command[network.OverrideNetworkStateParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}

// Cut is an action that takes the tab off the network, or gives it back. What the browser remarks on it is no console
// error of the page: see Run.
func Cut(off bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, network.Enable, network.EnableParams{}); err != nil {
			return fmt.Errorf("cut: %w", err)
		}
		p := network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}
		if _, err := cdp.Call(ctx, tab, emulate, p); err != nil {
			return fmt.Errorf("cut: %w", err)
		}
		return nil
	})
}

// SignedOut is an action that takes the browser its cookies: whoever it was, the site does not know them any more.
func SignedOut() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		if _, err := cdp.Call(ctx, tab, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
			return fmt.Errorf("sign out: %w", err)
		}
		return nil
	})
}

// SignedIn is an action that gives the browser the cookies of a session at the site of the address.
func SignedIn(address string, cookies map[string]string) chromedp.Action[chromedp.Void] {
	return setCookies(address, cookies)
}
