package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/api"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

// picture is a JPEG that no other seed gives.
func picture(t *testing.T, w, h int, seed uint8) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetRGBA(x, y, color.RGBA{uint8(x*7) ^ uint8(y*x), uint8(y * 5), seed + uint8(x*y%31), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// photographed hands a picture in at a branch, on an order, and gives the attachment.
func (g *group) photographed(b schema.BranchID, order string, raw []byte) *branchlinev1.Record {
	g.t.Helper()
	r, err := g.Site(b).Node().API().TakeFile(owner(context.Background(), access.Node), api.Upload{On: order, Name: "photo.jpg", RequestID: "r1"}, bytes.NewReader(raw))
	g.must(err)
	return r
}

// look gives the file of an attachment as a branch shows it.
func (g *group) looked(b schema.BranchID, name string, thumb bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(owner(context.Background(), access.Node), 10*time.Second)
	defer cancel()
	f, _, err := g.Site(b).Node().API().OpenFile(ctx, name, thumb)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(f)
	return raw, errors.Join(err, f.Close())
}

func (g *group) orderAt(b schema.BranchID, vin string) string {
	g.t.Helper()
	car := g.put(b, store.Edit{Message: &branchlinev1.Vehicle{Vin: proto.String(vin)}})
	o := g.put(b, store.Edit{Message: &branchlinev1.ServiceOrder{Vehicle: proto.String(car.String()), Branch: proto.String(string(b)), Day: proto.String(time.Now().Format(time.DateOnly))}})
	return schema.ResourceName(schema.ServiceOrder, o)
}

// A photo taken where the line is down: it is there at once, goes up when the line is back, its thumbnail comes to a
// branch of the same company that has the car, the original when somebody opens it; never to another company.
func TestPhoto_offlineThenEverywhereItMayGo(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	const car = "5YJ3E1EAXHF000316"
	order := g.orderAt("b1", car)
	for _, b := range []schema.BranchID{"b2", "b3"} { // both know the car, one of them is of the company
		g.orderAt(b, car)
	}
	g.converge()
	g.Site("b1").Proxy().Cut()
	g.until("b1 cut off", func() bool { return g.Site("b1").Node().Link().Phase != link.Open })

	raw := picture(t, 900, 700, 1)
	made := g.photographed("b1", order, raw)
	m := made.GetAttachment()
	if again := g.photographed("b1", order, raw); again.GetName() != made.GetName() {
		t.Errorf("handed in twice under one request it is %s and %s", made.GetName(), again.GetName())
	}
	whole, err := g.looked("b1", made.GetName(), false)
	if err != nil || blob.HashOf(whole) != blob.Hash(m.GetHash()) {
		t.Fatalf("not there at once: %v", err)
	}
	small, err := g.looked("b1", made.GetName(), true)
	if err != nil || len(small) > blob.ThumbBytes {
		t.Fatalf("a thumbnail of %d bytes: %v", len(small), err)
	}
	if f := made.GetFile(); !f.GetHere() || f.GetAtHq() {
		t.Errorf("cut off, the file is said to be %v", f)
	}

	g.Site("b1").Proxy().Open()
	g.linked("b1")
	g.until("HQ has stored it", func() bool { return g.read("b1", made.GetName()).GetFile().GetAtHq() })
	hash, thumb := blob.Hash(m.GetHash()), blob.Hash(m.GetThumbHash())
	if _, err := os.Stat(filepath.Join(g.HQDir(), blob.Folder, hash.String()[:2], hash.String()[2:])); err != nil {
		t.Errorf("said to be at HQ: %v", err)
	}
	g.converge()
	g.until("the thumbnail is at b2", func() bool { return g.read("b2", made.GetName()).GetFile().GetThumbHere() })
	if g.read("b2", made.GetName()).GetFile().GetHere() {
		t.Error("the original came though nobody asked")
	}
	if b, err := g.looked("b2", made.GetName(), false); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("the original at b2: %d bytes, %v", len(b), err)
	}
	if b, err := g.looked("b2", made.GetName(), true); err != nil || !bytes.Equal(b, small) {
		t.Errorf("the thumbnail at b2: %d bytes, %v", len(b), err)
	}

	// Headquarters shows it to those who may see customers, and to nobody else.
	for role, may := range map[branchlinev1.Role]bool{
		branchlinev1.Role_ROLE_HQ_STEWARD: true, branchlinev1.Role_ROLE_AUDITOR: true, branchlinev1.Role_ROLE_HQ_ANALYST: false, branchlinev1.Role_ROLE_TECHNICIAN: false,
	} {
		ctx := access.With(t.Context(), access.Caller{Account: "x", Staff: "x", Roles: []branchlinev1.Role{role}})
		f, _, err := g.HQ().API().OpenFile(ctx, made.GetName(), true)
		if !may {
			if !errors.Is(err, schema.ErrForbidden) {
				t.Errorf("%s at headquarters: %v", access.Name(role), err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s at headquarters: %v", access.Name(role), err)
			continue
		}
		b, err := io.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil || !bytes.Equal(b, small) {
			t.Errorf("%s at headquarters: %d bytes, %v", access.Name(role), len(b), err)
		}
	}

	// The other company's branch holds the car and not the photo, and HQ gives it neither file, nor says it has it.
	if _, err := g.looked("b3", made.GetName(), true); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("at another company: %v", err)
	}
	for _, h := range []blob.Hash{hash, thumb} {
		if _, err := g.ask("b3", link.VerbBlobGet, &wirev1.BlobGet{Hash: h[:]}); !errors.Is(err, schema.ErrNotFound) {
			t.Errorf("HQ gives another company's file: %v", err)
		}
		out, err := g.ask("b3", link.VerbBlobAsk, &wirev1.BlobAsk{Hashes: [][]byte{h[:]}})
		r := new(wirev1.BlobAskReply)
		if err != nil || proto.Unmarshal(out, r) != nil || len(r.GetStored()) != 1 || r.GetStored()[0] != 0 {
			t.Errorf("HQ tells another company of a file: %v %v", r, err)
		}
		out, err = g.ask("b3", link.VerbBlobPut, &wirev1.BlobPut{Hash: h[:], Size: 7, Data: []byte("x")})
		p := new(wirev1.BlobPutReply)
		if err != nil || proto.Unmarshal(out, p) != nil || !p.GetUnknown() {
			t.Errorf("HQ takes a file that nothing of the branch's names: %v %v", p, err)
		}
	}
	for _, bad := range [][]byte{nil, []byte("short")} {
		if _, err := g.ask("b2", link.VerbBlobGet, &wirev1.BlobGet{Hash: bad}); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("a hash of %d bytes: %v", len(bad), err)
		}
	}
}

// The honest answers of a branch that does not have the file: it has not reached HQ; HQ cannot be asked.
func TestPhoto_saysWhereItIs(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	const car = "5YJ3E1EAXHF000316"
	order := g.orderAt("b1", car)
	g.orderAt("b2", car)
	g.converge()
	made := g.photographed("b1", order, picture(t, 40, 40, 2))
	g.until("HQ has stored it", func() bool { return g.read("b1", made.GetName()).GetFile().GetAtHq() })
	g.converge()
	// HQ loses its files: what it says from then on is true.
	g.must(g.StopNode("b1"))
	g.must(g.StopHQ())
	g.must(os.RemoveAll(filepath.Join(g.HQDir(), blob.Folder)))
	g.must(g.StartHQ())
	g.linked("b2")
	g.must(os.RemoveAll(filepath.Join(g.Site("b2").Dir, blob.Folder, blob.Hash(made.GetAttachment().GetHash()).String()[:2])))
	var away *api.ElsewhereError
	g.until("b2 is told that the file is at b1", func() bool {
		_, err := g.looked("b2", made.GetName(), false)
		return errors.As(err, &away) && !away.Cut && away.Branch == "b1"
	})
	g.Site("b2").Proxy().Cut()
	g.until("b2 is told that HQ cannot be asked", func() bool {
		_, err := g.looked("b2", made.GetName(), false)
		return errors.As(err, &away) && away.Cut
	})
	// Its own branch comes back and gives it again: HQ runs in another epoch, and is asked.
	g.Site("b2").Proxy().Open()
	g.must(g.StartNode("b1"))
	g.until("the file is at b2", func() bool { _, err := g.looked("b2", made.GetName(), false); return err == nil })
}

// A branch whose files are gone or spoiled fetches its own again, and says what is missing until then.
func TestPhoto_isFetchedAgain(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	made := g.photographed("b1", order, picture(t, 60, 40, 3))
	g.until("HQ has stored it", func() bool { return g.read("b1", made.GetName()).GetFile().GetAtHq() })
	g.converge()
	whole, err := g.looked("b1", made.GetName(), false)
	g.must(err)
	hash := blob.Hash(made.GetAttachment().GetHash())
	g.must(os.WriteFile(filepath.Join(g.Site("b1").Dir, blob.Folder, hash.String()[:2], hash.String()[2:]), []byte("spoiled"), 0o600))
	ctx := owner(t.Context(), access.Node)
	v, err := g.Site("b1").Node().Server().API().Sites.Verify(ctx, &branchlinev1.Empty{})
	g.must(err)
	if v.GetSame() || len(v.GetFilesMissing()) != 1 || v.GetFilesMissing()[0] != made.GetName() || v.GetFiles() != 1 {
		t.Errorf("a spoiled file is not named: %v", v)
	}
	g.until("it has come again", func() bool { return g.read("b1", made.GetName()).GetFile().GetHere() })
	if b, err := g.looked("b1", made.GetName(), false); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("%d bytes: %v", len(b), err)
	}
	v, err = g.Site("b1").Node().Server().API().Sites.Verify(ctx, &branchlinev1.Empty{})
	if err != nil || !v.GetSame() || v.GetFiles() != 2 {
		t.Errorf("whole again: %v %v", v, err)
	}
}

// Backups hold the files their database names, at a branch and at HQ, and give them back.
func TestPhoto_isInBackups(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	made := g.photographed("b1", order, picture(t, 60, 40, 9))
	g.until("HQ has stored both files", func() bool {
		l, err := g.Site("b1").Node().Server().API().Sites.GetLine(owner(t.Context(), access.Node), &branchlinev1.Empty{})
		return err == nil && l.GetFiles() == 2 && l.GetFilesWaiting() == 0
	})
	for name, site := range map[string]func() (*branchlinev1.BackupResponse, *branchlinev1.LineStatus, error){
		"b1": func() (*branchlinev1.BackupResponse, *branchlinev1.LineStatus, error) {
			c := g.Site("b1").Node().Server().API().Sites
			l, lerr := c.GetLine(owner(t.Context(), access.Node), &branchlinev1.Empty{})
			b, err := c.Backup(owner(t.Context(), access.Node), &branchlinev1.BackupRequest{})
			return b, l, errors.Join(lerr, err)
		},
		"hq": func() (*branchlinev1.BackupResponse, *branchlinev1.LineStatus, error) {
			c := g.HQ().Server().API().Sites
			l, lerr := c.GetLine(owner(t.Context(), access.HQ), &branchlinev1.Empty{})
			b, err := c.Backup(owner(t.Context(), access.HQ), &branchlinev1.BackupRequest{})
			return b, l, errors.Join(lerr, err)
		},
	} {
		b, l, err := site()
		g.must(err)
		if b.GetFiles() != 2 || b.GetFileBytes() != l.GetFileBytes() || l.GetFiles() != 2 || l.GetFilesWaiting() != 0 || l.GetDiskFree() == 0 {
			t.Errorf("%s: backup %v, status %d files of %d bytes, %d waiting, %d free", name, b, l.GetFiles(), l.GetFileBytes(), l.GetFilesWaiting(), l.GetDiskFree())
		}
		empty, err := blob.Open(t.TempDir(), time.Now)
		g.must(err)
		if n, bad, err := empty.TakeBack(b.GetFilesPath()); n != 2 || len(bad) > 0 || err != nil {
			t.Errorf("%s: %d files come back, %d are bad: %v", name, n, len(bad), err)
		}
		g.must(empty.Check(blob.Hash(made.GetAttachment().GetHash())))
	}
	v, err := g.HQ().Server().API().Sites.Verify(owner(t.Context(), access.HQ), &branchlinev1.Empty{})
	if err != nil || !v.GetSame() || v.GetFiles() != 2 {
		t.Errorf("%v %v", v, err)
	}
}

// A large file over a line that is cut again and again comes through, and what was sent is not sent again.
func TestPhoto_goesOnWhereItWasCut(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	g.converge()
	raw := append([]byte("%PDF-1.7\n"), make([]byte, 12<<20)...)
	for i := range raw[9:] { // nothing that compresses away
		raw[9+i] = byte(i*i>>7) ^ byte(i>>3)
	}
	made := g.photographed("b1", order, raw)
	hash := blob.Hash(made.GetAttachment().GetHash())
	part := filepath.Join(g.HQDir(), blob.Folder, "part", "b1-"+hash.String())
	var last int64
	for range 3 {
		g.until("HQ has some more of it", func() bool {
			fi, err := os.Stat(part)
			return err == nil && fi.Size() > last
		})
		g.Site("b1").Proxy().Cut()
		fi, err := os.Stat(part)
		g.must(err)
		if fi.Size() < last {
			t.Errorf("HQ had %d bytes and has %d", last, fi.Size())
		}
		last = fi.Size()
		g.Site("b1").Proxy().Open()
	}
	g.until("HQ has stored it", func() bool { return g.read("b1", made.GetName()).GetFile().GetAtHq() })
	if made.GetAttachment().GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT {
		t.Errorf("a PDF is a %s", made.GetAttachment().GetRole())
	}
}

// While a large file goes up over a line of one megabit a second, an edit is at HQ about as soon as without it: the file
// alone would hold the line for half a minute.
func TestPhoto_holdsNoEditUp(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	g.converge()
	g.Site("b1").Proxy().SetLatency(20 * time.Millisecond)
	g.Site("b1").Proxy().SetRate(128 << 10)
	edits := func(n int) (out []time.Duration) {
		for range n {
			began := time.Now()
			g.put("b1", store.Edit{Message: &branchlinev1.Customer{Name: proto.String("何平")}})
			l, err := g.Site("b1").Node().Store().Line(context.Background())
			g.must(err)
			g.until("the edit is at HQ", func() bool { return g.Site("b1").Node().Link().Mark >= l.LastSeq })
			out = append(out, time.Since(began))
			time.Sleep(150 * time.Millisecond) // a person between two edits
		}
		slices.Sort(out)
		return out
	}
	alone := edits(12)
	raw := append([]byte("%PDF-1.7\n"), make([]byte, 4<<20)...)
	for i := range raw[9:] {
		raw[9+i] = byte(i*i>>7) ^ byte(i>>3)
	}
	made := g.photographed("b1", order, raw)
	part := filepath.Join(g.HQDir(), blob.Folder, "part", "b1-"+blob.Hash(made.GetAttachment().GetHash()).String())
	g.until("the file is on its way", func() bool { _, err := os.Stat(part); return err == nil })
	beside := edits(12)
	fi, err := os.Stat(part)
	if err != nil || fi.Size() == 0 {
		t.Fatalf("the file was not on its way all the time: %v", err)
	}
	t.Logf("alone: median %v, worst %v; beside a file: median %v, worst %v, %d KB of it came", alone[6], alone[11], beside[6], beside[11], fi.Size()>>10)
	if beside[6] > alone[6]+time.Second || beside[11] > alone[11]+3*time.Second {
		t.Errorf("alone: %v; beside a file: %v", alone, beside)
	}
}

// Over HTTP: handed in as a browser does, once however often; given to whom it may be given, as a file and nothing else.
func TestPhoto_overHTTP(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	n := g.Site("b1").Node()
	account, password := n.FirstAccount()
	in, err := n.Server().API().Accounts.SignIn(context.Background(), &branchlinev1.SignInRequest{Account: account, Password: password})
	g.must(err)
	do := func(method, path, typ string, body io.Reader, token string, edit func(*http.Request)) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, n.URL()+path, body)
		g.must(err)
		req.Header.Set("Content-Type", typ)
		req.Header.Set("Accept", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		if edit != nil {
			edit(req)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		g.must(err)
		raw, err := io.ReadAll(res.Body)
		g.must(errors.Join(err, res.Body.Close()))
		return res, raw
	}
	form := func(files ...[]byte) (string, io.Reader) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		g.must(w.WriteField("on", order))
		g.must(w.WriteField("request_id", "one"))
		g.must(w.WriteField("caption", "左前门"))
		for _, f := range files {
			p, err := w.CreateFormFile("file", `..\"x.svg`)
			g.must(err)
			_, err = p.Write(f)
			g.must(err)
		}
		g.must(w.Close())
		return w.FormDataContentType(), &b
	}
	var names []string
	for range 2 {
		typ, body := form(picture(t, 50, 30, 4), picture(t, 50, 30, 5))
		res, raw := do("POST", "/attachments", typ, body, in.GetToken(), nil)
		var out struct{ Records []struct{ Name string } }
		if res.StatusCode != 200 || json.Unmarshal(raw, &out) != nil || len(out.Records) != 2 {
			t.Fatalf("%d %s", res.StatusCode, raw)
		}
		for _, r := range out.Records {
			names = append(names, r.Name)
		}
	}
	if names[0] != names[2] || names[1] != names[3] || names[0] == names[1] {
		t.Errorf("handed in again they are %v", names)
	}
	res, raw := do("GET", "/"+names[0]+"/file", "", nil, in.GetToken(), nil)
	h := res.Header
	if res.StatusCode != 200 || h.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(h.Get("Content-Disposition"), "inline; filename=") ||
		h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.Contains(h.Get("Cache-Control"), "private") {
		t.Errorf("%d %v", res.StatusCode, h)
	}
	if !bytes.HasPrefix(raw, []byte("\xff\xd8")) || h.Get("ETag") != `"`+blob.HashOf(raw).String()+`"` {
		t.Errorf("%d bytes, %s", len(raw), h.Get("ETag"))
	}
	if res, _ := do("GET", "/"+names[0]+"/file", "", nil, in.GetToken(), func(r *http.Request) { r.Header.Set("If-None-Match", h.Get("ETag")) }); res.StatusCode != 304 {
		t.Errorf("kept by the browser: %d", res.StatusCode)
	}
	for what, path := range map[string]string{"the file": "/file", "the thumbnail": "/thumb"} {
		if res, _ := do("GET", "/"+names[0]+path, "", nil, "", nil); res.StatusCode != 303 {
			t.Errorf("%s without sign-in: %d", what, res.StatusCode)
		}
	}
	typ, body := form([]byte("<svg onload='alert(1)'/>"))
	if res, raw := do("POST", "/attachments", typ, body, in.GetToken(), nil); res.StatusCode != 400 {
		t.Errorf("a drawing: %d %s", res.StatusCode, raw)
	}
	typ, body = form(append(picture(t, 9, 9, 6), make([]byte, blob.MaxFile)...))
	if res, raw := do("POST", "/attachments", typ, body, in.GetToken(), nil); res.StatusCode != 413 {
		t.Errorf("too large: %d %s", res.StatusCode, raw)
	}
	typ, body = form(picture(t, 9, 9, 7))
	if res, _ := do("POST", "/attachments", typ, body, "", nil); res.StatusCode != 401 {
		t.Errorf("without sign-in: %d", res.StatusCode)
	}
	typ, body = form(picture(t, 9, 9, 8))
	if res, _ := do("POST", "/attachments", typ, body, in.GetToken(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }); res.StatusCode != 403 {
		t.Errorf("from another site's page: %d", res.StatusCode)
	}
	if res, raw := do("POST", "/attachments", "application/json", strings.NewReader("{}"), in.GetToken(), nil); res.StatusCode != 400 {
		t.Errorf("no form: %d %s", res.StatusCode, raw)
	}
	// An attachment that names a file nobody handed in is not made.
	_, err = n.Server().API().Records.CreateRecord(owner(t.Context(), access.Node), &branchlinev1.CreateRecordRequest{Record: &branchlinev1.Record{
		Body: &branchlinev1.Record_Attachment{Attachment: &branchlinev1.Attachment{Hash: make([]byte, 32), Size: proto.Int64(1)}},
	}})
	if !strings.Contains(err.Error(), "/attachments") {
		t.Errorf("an attachment of nothing: %v", err)
	}
}

// A technician sees photos of the car, not what its owner signed.
func TestPhoto_rolesSeeWhatIsTheirs(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	order := g.orderAt("b1", "5YJ3E1EAXHF000316")
	a := g.Site("b1").Node().API()
	boss := owner(t.Context(), access.Node)
	tech := access.With(t.Context(), access.Caller{Account: "lq", Staff: "lq", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}})
	nobody := access.With(t.Context(), access.Caller{})
	for role, seen := range map[branchlinev1.AttachmentRole]bool{
		branchlinev1.AttachmentRole_ATTACHMENT_PHOTO: true, branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART: true,
		branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE: false, branchlinev1.AttachmentRole_ATTACHMENT_DOCUMENT: false,
	} {
		r, err := a.TakeFile(boss, api.Upload{On: order, Role: role}, bytes.NewReader(picture(t, 20, 20, 40+uint8(role))))
		g.must(err)
		for _, thumb := range []bool{false, true} {
			f, _, err := a.OpenFile(tech, r.GetName(), thumb)
			if (err == nil) != seen {
				t.Errorf("a technician opens a %s: %v", role, err)
			}
			if err == nil {
				g.must(f.Close())
			}
			if _, _, err := a.OpenFile(nobody, r.GetName(), thumb); !errors.Is(err, schema.ErrForbidden) {
				t.Errorf("nobody opens a %s: %v", role, err)
			}
		}
		list, err := a.ListRecords(tech, &branchlinev1.ListRecordsRequest{Collection: "attachments", Order: order})
		g.must(err)
		for _, x := range list.GetRecords() {
			if x.GetName() == r.GetName() && !seen {
				t.Errorf("a technician is told of a %s", role)
			}
		}
	}
	if _, err := a.TakeFile(tech, api.Upload{On: order}, bytes.NewReader(picture(t, 20, 20, 60))); err != nil {
		t.Errorf("a technician takes a photo: %v", err)
	}
	if _, err := a.TakeFile(boss, api.Upload{On: "staff/" + strings.Repeat("0", 26)}, bytes.NewReader(nil)); err == nil {
		t.Error("a file of nothing that may have one")
	}
}

func (g *group) read(b schema.BranchID, name string) *branchlinev1.Record {
	g.t.Helper()
	r, err := g.Site(b).Node().Server().API().Records.GetRecord(owner(context.Background(), access.Node), &branchlinev1.GetRecordRequest{Name: name})
	g.must(err)
	return r
}

func (g *group) ask(b schema.BranchID, verb string, m proto.Message) ([]byte, error) {
	g.t.Helper()
	raw, err := proto.Marshal(m)
	g.must(err)
	return g.Site(b).Node().Ask(context.Background(), verb, raw)
}
