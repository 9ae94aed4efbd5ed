package looktest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/chromedp/chromedp"
)

// timeKeys watches an attribute of an element: when a key went down, when another value stood there.
const timeKeys = `void ((selector, name) => {
	window.took = [];
	let pressed = 0;
	window.addEventListener("keydown", () => { pressed = performance.now(); }, true);
	const card = document.querySelector(selector);
	let was = card.getAttribute(name);
	new MutationObserver(() => {
		const is = card.getAttribute(name);
		if (!is || is === was) return;
		was = is;
		const at = pressed;
		requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - at), 0));
	}).observe(card, {attributes: true, attributeFilter: [name]});
})(%s, %s)`

// TimeKeys is an action that has the page note in window.took, in milliseconds, how long after each key another value of
// the attribute was drawn.
func TimeKeys(selector, attribute string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(timeKeys, strconv.Quote(selector), strconv.Quote(attribute)))
}

// Calm is an action that waits longer than the time in which a page takes a second key for a bounce of the first.
func Calm() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		w := time.NewTimer(170 * time.Millisecond)
		defer w.Stop()
		select {
		case <-w.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
