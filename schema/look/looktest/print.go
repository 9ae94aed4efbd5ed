package looktest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Printed is a page as paper has it.
type Printed struct {
	Pages int
	Text  string // what is to be read on it, line by line
}

// pdfPage begins the dictionary of one page in a PDF as Chromium writes them; /Pages holds them together.
var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

// Print prints a page on A4 and fails the test for anything wider than the paper. BRANCHLINE_SHOTS keeps the PDF and a
// picture under name.
func (b *Browser) Print(t testing.TB, address, name string, cookies map[string]string) Printed {
	t.Helper()
	own := b.tab(t)
	defer own.close()
	tab, stop := context.WithTimeout(own.ctx, b.patience)
	defer stop()
	const width = 718 // A4 less its margins, in px
	var pdf []byte
	err := chromedp.Do(tab, setCookies(address, cookies), chromedp.Navigate(address),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			css := true
			res, err := cdp.Call(ctx, tab, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &css})
			if err != nil {
				return fmt.Errorf("print: %w", err)
			}
			pdf = res.Data
			_, err = cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
			return err
		}),
		chromedp.EmulateViewport(width, 1040),
	)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	seen, err := chromedp.Run(tab, chromedp.Evaluate[struct {
		Text string
		Wide int64
		Out  []string
	}](`({Text: document.body.innerText, Wide: document.documentElement.scrollWidth, Out: Array.from(document.querySelectorAll("body *"))
		.filter(e => e.getBoundingClientRect().right > 720).slice(0, 3).map(e => e.outerHTML.slice(0, 120))})`))
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	if seen.Wide > width {
		t.Errorf("%s: %d px wide on paper of %d: %q", address, seen.Wide, width, seen.Out)
	}
	if err := keepPrint(tab, name, pdf); err != nil {
		t.Errorf("%s: %v", address, err)
	}
	return Printed{Pages: len(pdfPage.FindAll(pdf, -1)), Text: seen.Text}
}

func keepPrint(tab context.Context, name string, pdf []byte) error {
	dir := os.Getenv("BRANCHLINE_SHOTS")
	if dir == "" {
		return nil
	}
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		return fmt.Errorf("what was printed is no PDF")
	}
	shot, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+"-print.png"), shot, 0o644)
	}
	if err != nil {
		return fmt.Errorf("keep print: %w", err)
	}
	return nil
}
