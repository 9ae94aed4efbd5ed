// Package benchrows makes the rows of the benchmark: one branch's customers and
// service orders, the same bytes for one seed as the workload that other systems
// were measured with, and the records they become here.
//
// Rules: rows come in one order only, since each draws from the same stream of
// chance: customers, bulk orders, single orders. Nothing here may be changed for
// speed or looks; a test compares the bytes.
package benchrows

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/rand"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Config says how many rows of what. The zero value is the benchmark's.
type Config struct {
	Seed      int64  // 42
	Customers int    // 20,000
	Orders    int    // 60,000, in bulk
	Single    int    // 10,000 more, for the phases of one commit a row
	Branch    string // "B1"; a part of the ids
}

// Customer is a row of the workload. The order of the fields is the order of the bytes.
type Customer struct {
	ID        string `json:"id"`
	Branch    string `json:"branch"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Company   string `json:"company"`
	Street    string `json:"street"`
	City      string `json:"city"`
	Postcode  string `json:"postcode"`
	Phone     string `json:"phone"`
	Email     string `json:"email"`
	Notes     string `json:"notes"`
	UpdatedAt string `json:"updated_at"`
}

// Order is a row of the workload.
type Order struct {
	ID         string `json:"id"`
	CustomerID string `json:"customer_id"`
	Branch     string `json:"branch"`
	VIN        string `json:"vin"`
	Plate      string `json:"plate"`
	Model      string `json:"model"`
	OpenedAt   string `json:"opened_at"`
	Status     string `json:"status"`
	Advisor    string `json:"advisor"`
	Complaint  string `json:"complaint"`
	Work       string `json:"work"`
	Parts      string `json:"parts"`
	LabourMin  int    `json:"labour_min"`
	TotalCents int    `json:"total_cents"`
}

// Row is one of the two.
type Row struct {
	Customer *Customer
	Order    *Order
	// Single marks the orders behind the bulk.
	Single bool
	// Customer's or order's number, from 0; single orders count on from the bulk.
	N  int
	at time.Time
}

var (
	firstNames = strings.Fields("Anna Bernd Carla Dieter Elif Franz Greta Hassan Ines Jonas Katja Luca Mara Nils Olga Petra Quentin Rosa Stefan Tilda Uwe Vera Wim Yara Zoran")
	lastNames  = strings.Fields("Abel Brandt Conrad Demir Ebert Fischer Graf Huber Iversen Jansen Keller Lorenz Meyer Novak Otto Peters Richter Schulz Thoma Ulrich Vogel Weber Yilmaz Zander")
	cities     = strings.Fields("Aalen Bremen Celle Dessau Emden Fulda Gera Hamm Ilmenau Jena Kassel Lahr Mainz Neuss Oldenburg Passau")
	streets    = strings.Fields("Birkenweg Dorfstrasse Hauptstrasse Industriestrasse Kirchgasse Lindenallee Marktplatz Ringstrasse Schulweg Talblick")
	models     = strings.Fields("Avanto Belmar Corvio Delta-X Estera Fjord Granto Hexa Istra Jolt")
	statuses   = strings.Fields("open waiting_parts in_work done invoiced")
	vocabulary = strings.Fields("brake pads worn front axle noise at low speed customer reports vibration oil leak inspect replace filter coolant level timing belt due warranty check software update battery weak cold start tyre rotation alignment steering pulls left air conditioning weak headlamp mist exhaust rattle clutch slip gearbox service wiper blades rear camera dark sensor fault code cleared test drive ok")
)

// codeLetters stand in the workload's VINs and plates, which are no real ones.
const codeLetters = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"

type source struct{ *rand.Rand }

func (s source) word(of []string) string { return of[s.Intn(len(of))] }

func (s source) text(n int) string {
	var b strings.Builder
	for b.Len() < n {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(s.word(vocabulary))
	}
	return b.String()[:n]
}

func (s source) code(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = codeLetters[s.Intn(len(codeLetters))]
	}
	return string(b)
}

// All gives every row once, in order.
func All(cfg Config) iter.Seq[Row] {
	if cfg.Seed == 0 {
		cfg.Seed = 42
	}
	if cfg.Customers == 0 {
		cfg.Customers = 20_000
	}
	if cfg.Orders == 0 {
		cfg.Orders = 60_000
	}
	if cfg.Single == 0 {
		cfg.Single = 10_000
	}
	if cfg.Branch == "" {
		cfg.Branch = "B1"
	}
	return func(yield func(Row) bool) {
		s := source{rand.New(rand.NewSource(cfg.Seed))}
		for i := range cfg.Customers {
			if !yield(s.customer(cfg, i)) {
				return
			}
		}
		for i := range cfg.Orders + cfg.Single {
			r := s.order(cfg, i)
			if r.Single = i >= cfg.Orders; !yield(r) {
				return
			}
		}
	}
}

var epoch = time.Date(2026, 1, 5, 7, 0, 0, 0, time.UTC)

// The statements of customer and order are in the order in which chance is drawn.
func (s source) customer(cfg Config, i int) Row {
	at := epoch.Add(time.Duration(i) * time.Minute)
	c := &Customer{ID: customerID(cfg.Branch, i), Branch: cfg.Branch, UpdatedAt: at.Format(time.RFC3339)}
	c.FirstName = s.word(firstNames)
	c.LastName = s.word(lastNames)
	street := s.word(streets)
	c.Street = fmt.Sprintf("%s %d", street, 1+s.Intn(180))
	c.City = s.word(cities)
	c.Postcode = fmt.Sprintf("%05d", s.Intn(99999))
	c.Phone = fmt.Sprintf("+49 %d", 1000000000+s.Intn(899999999))
	c.Email = strings.ToLower(fmt.Sprintf("%s.%s%d@example.net", c.FirstName, c.LastName, i))
	c.Notes = s.text(40)
	return Row{Customer: c, N: i, at: at}
}

func (s source) order(cfg Config, i int) Row {
	at := epoch.Add(time.Duration(i) * 97 * time.Second)
	o := &Order{ID: fmt.Sprintf("O-%s-%08d", cfg.Branch, i), Branch: cfg.Branch, OpenedAt: at.Format(time.RFC3339)}
	o.CustomerID = customerID(cfg.Branch, s.Intn(cfg.Customers))
	o.VIN = s.code(17)
	o.Plate = s.code(7)
	o.Model = s.word(models)
	o.Status = s.word(statuses)
	first := s.word(firstNames)
	o.Advisor = first + " " + s.word(lastNames)
	o.Complaint = s.text(100)
	o.Work = s.text(90)
	o.Parts = s.text(40)
	o.LabourMin = 15 * (1 + s.Intn(20))
	o.TotalCents = 4900 + s.Intn(200000)
	return Row{Order: o, N: i, at: at}
}

func customerID(branch string, i int) string { return fmt.Sprintf("C-%s-%08d", branch, i) }

// Key is the row's id in the workload.
func (r Row) Key() string {
	if r.Customer != nil {
		return r.Customer.ID
	}
	return r.Order.ID
}

// At is the moment in the row.
func (r Row) At() time.Time { return r.at }

// AppendLine appends the row as the workload's file has it, with the end of the line.
func (r Row) AppendLine(b []byte) ([]byte, error) {
	kind, row := "customers", any(r.Customer)
	if r.Order != nil {
		kind, row = "service_orders", r.Order
	}
	j, err := json.Marshal(row)
	if err != nil {
		return b, fmt.Errorf("benchrows: %s: %w", r.Key(), err)
	}
	b = fmt.Appendf(b, `{"t":%q,"row":`, kind)
	b = append(b, j...)
	return append(b, "}\n"...), nil
}

// Source is the source system of the rows' ids.
const Source = "bench"

// Message is the record the row becomes. For an order, customer is the record id of its customer (see
// Order.CustomerID). Every value of the row goes into the record; the VIN and plate, which are chance,
// stay on the order as read.
func (r Row) Message(customer string) proto.Message {
	id := []*branchlinev1.SourceId{{Source: proto.String(Source), Id: proto.String(r.Key())}}
	if c := r.Customer; c != nil {
		return &branchlinev1.Customer{
			Type: branchlinev1.CustomerType_PERSON.Enum(), Name: proto.String(c.FirstName + " " + c.LastName), SourceIds: id,
			Phones:    []*branchlinev1.Phone{{Number: proto.String(c.Phone)}},
			Emails:    []string{c.Email},
			Addresses: []*branchlinev1.Address{{City: proto.String(c.City), Street: proto.String(c.Street), Postcode: proto.String(c.Postcode)}},
			Remark:    proto.String(c.Notes),
		}
	}
	o := r.Order
	return &branchlinev1.ServiceOrder{
		Number: proto.String(o.ID), Branch: proto.String(strings.ToLower(o.Branch)), Customer: proto.String(customer), SourceIds: id,
		Vin: proto.String(o.VIN), Plate: proto.String(o.Plate), Model: proto.String(o.Model),
		OpenedAt: proto.Int64(r.at.UnixMilli()), Day: proto.String(r.at.Format(time.DateOnly)), State: states[o.Status].Enum(),
		Adviser: proto.String(o.Advisor), Complaint: proto.String(o.Complaint), Work: proto.String(o.Work), Parts: proto.String(o.Parts),
		EstimateMinutes: proto.Int64(int64(o.LabourMin)), EstimateAmount: proto.Int64(int64(o.TotalCents)), Currency: proto.String("EUR"),
	}
}

var states = map[string]branchlinev1.OrderState{
	"open":          branchlinev1.OrderState_RECEIVED,
	"waiting_parts": branchlinev1.OrderState_WAITING_PARTS,
	"in_work":       branchlinev1.OrderState_IN_WORK,
	"done":          branchlinev1.OrderState_READY,
	"invoiced":      branchlinev1.OrderState_SETTLED,
}
