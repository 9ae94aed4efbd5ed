package access

import (
	"slices"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

type roles = []branchlinev1.Role

// rule says who may at one site. The zero rule lets nobody in.
type rule struct {
	public bool  // without sign-in
	signed bool  // whoever is signed in
	roles  roles // whoever has one of these
}

func (r rule) allows(have roles) bool {
	if r.public || r.signed && len(have) > 0 {
		return true
	}
	return slices.ContainsFunc(have, func(x branchlinev1.Role) bool { return slices.Contains(r.roles, x) })
}

func only(r ...branchlinev1.Role) rule { return rule{roles: r} }

// pair is one line of the table: the rule at a node and the rule at HQ.
type pair struct{ node, hq rule }

// Groups of roles that the table uses again and again. Each site's administrator is in every group of that site but
// for the ones that say otherwise: who gives the roles could give them to himself.
var (
	anyone     = rule{public: true}
	signedIn   = rule{signed: true}
	nobody     = rule{}
	staff      = only(clerk, technician, adviser, salesperson, care, manager)
	desk       = only(clerk, adviser, salesperson, care, manager)
	bay        = only(clerk, technician, adviser, manager)
	till       = only(clerk, adviser, manager)
	boss       = only(manager)
	hqStaff    = only(analyst, steward, admin, privacy, auditor)
	hqData     = only(steward, admin)
	hqRead     = only(steward, admin, privacy, auditor)
	hqFigures  = only(analyst, steward, admin, auditor)
	hqWatch    = only(steward, admin, auditor)
	hqBoss     = only(admin)
	hqBossRead = only(admin, auditor)
)

const rpc = "/branchline.v1."

// rules is the table. Keys are Connect procedures and page routes ("GET /customers/{id}").
var rules = map[string]pair{
	rpc + "RecordService/CreateRecord": {staff, hqData},
	rpc + "RecordService/GetRecord":    {staff, hqStaff},
	rpc + "RecordService/UpdateRecord": {staff, hqData},
	rpc + "RecordService/ListRecords":  {staff, hqStaff},
	rpc + "RecordService/Search":       {staff, hqStaff},
	// Who may write a customer down. HQ answers with a hint where to ask.
	rpc + "RecordService/KeepAsIs":       {desk, nobody}, // who may restore what lost may let it rest
	rpc + "RecordService/FindLike":       {desk, hqData},
	rpc + "RecordService/PickCustomers":  {desk, hqData},
	rpc + "RecordService/VehicleHistory": {staff, hqStaff},
	rpc + "RecordService/Where":          {staff, hqStaff},
	// HQ answers with a hint where to import.
	rpc + "RecordService/ImportRows": {boss, hqBoss},

	rpc + "SiteService/GetLine":      {staff, hqStaff},
	rpc + "SiteService/ListChanges":  {staff, hqStaff},
	rpc + "SiteService/ListBranches": {staff, hqStaff},
	rpc + "SiteService/Verify":       {boss, hqBossRead},
	rpc + "SiteService/Repair":       {boss, hqBoss},
	rpc + "SiteService/Backup":       {boss, hqBoss},

	rpc + "HeadquartersService/AddEntity":        {nobody, hqBoss},
	rpc + "HeadquartersService/AddBranch":        {nobody, hqBoss},
	rpc + "HeadquartersService/ReEnrolBranch":    {nobody, hqBoss},
	rpc + "HeadquartersService/RevokeBranch":     {nobody, hqBoss},
	rpc + "HeadquartersService/RetireBranch":     {nobody, hqBoss},
	rpc + "HeadquartersService/SetGroup":         {nobody, hqBoss},
	rpc + "HeadquartersService/GoOn":             {nobody, hqBoss},
	rpc + "HeadquartersService/ListQuarantine":   {nobody, hqWatch},
	rpc + "HeadquartersService/SettleQuarantine": {nobody, hqData},
	rpc + "HeadquartersService/Report":           {nobody, hqFigures},

	// Names and numbers of customers stand side by side in questions and reasons.
	rpc + "MatchService/ListQuestions":    {nobody, hqRead},
	rpc + "MatchService/Explain":          {nobody, hqRead},
	rpc + "MatchService/Decide":           {nobody, hqData},
	rpc + "MatchService/WithdrawDecision": {nobody, hqData},
	rpc + "MatchService/ListDecisions":    {nobody, hqRead},
	rpc + "MatchService/ListEvents":       {nobody, hqRead},
	rpc + "MatchService/ListModels":       {nobody, hqRead},
	rpc + "MatchService/TrainModel":       {nobody, hqData},
	rpc + "MatchService/TakeModel":        {nobody, hqBoss},

	// Acts of the counter; headquarters reads what it needs to say who bears an overdrawn card.
	rpc + "CounterService/GetAccount":        {desk, nobody},
	rpc + "CounterService/Settle":            {till, nobody},
	rpc + "CounterService/ReverseSettlement": {till, nobody}, // by a manager's word
	rpc + "CounterService/TakePayment":       {till, nobody},
	rpc + "CounterService/Refund":            {till, nobody}, // by a manager's word
	rpc + "CounterService/GetPurse":          {desk, nobody},
	rpc + "CounterService/PayOff":            {till, nobody},
	rpc + "CounterService/GetTill":           {till, nobody},
	rpc + "CounterService/CloseTill":         {till, nobody},
	rpc + "CounterService/SellCard":          {till, nobody},
	rpc + "CounterService/GetCard":           {desk, hqRead},
	rpc + "CounterService/UseCard":           {till, nobody},
	rpc + "CounterService/TakeBackUse":       {till, nobody},
	rpc + "CounterService/ListOverdrawn":     {boss, hqRead},
	rpc + "CounterService/Bear":              {boss, hqData},

	// Acts of the workshop. Passing an order to a sister branch is a manager's.
	rpc + "WorkshopService/GetBoard":        {staff, nobody},
	rpc + "WorkshopService/ListCars":        {staff, nobody},
	rpc + "WorkshopService/Receive":         {bay, nobody},
	rpc + "WorkshopService/SaveInspection":  {bay, nobody},
	rpc + "WorkshopService/PutPackage":      {bay, nobody},
	rpc + "WorkshopService/Answer":          {bay, nobody},
	rpc + "WorkshopService/Promise":         {bay, nobody},
	rpc + "WorkshopService/Assign":          {bay, nobody},
	rpc + "WorkshopService/Clock":           {bay, nobody},
	rpc + "WorkshopService/CorrectClock":    {only(adviser, manager), nobody},
	rpc + "WorkshopService/Check":           {bay, nobody},
	rpc + "WorkshopService/Parts":           {bay, nobody},
	rpc + "WorkshopService/ListParts":       {staff, nobody},
	rpc + "WorkshopService/ListCalls":       {desk, nobody},
	rpc + "WorkshopService/ListWork":        {staff, nobody},
	rpc + "WorkshopService/ListTechnicians": {staff, nobody},
	rpc + "WorkshopService/Step":            {bay, nobody},
	rpc + "WorkshopService/Transfer":        {boss, nobody},
	// What an order says of its coming again, everybody who sees the order sees; the list of all is a manager's page.
	rpc + "WorkshopService/ListComebacks": {staff, nobody},
	rpc + "WorkshopService/StepClaim":     {till, nobody},
	rpc + "WorkshopService/ListLoans":     {staff, nobody},

	rpc + "AccountService/SignIn":        {anyone, anyone},
	rpc + "AccountService/SignOut":       {signedIn, signedIn},
	rpc + "AccountService/WhoAmI":        {signedIn, signedIn},
	rpc + "AccountService/CreateAccount": {boss, hqBoss},
	// Everybody, for their own password only; the rest is the administrator's.
	rpc + "AccountService/UpdateAccount": {signedIn, signedIn},
	rpc + "AccountService/ListAccounts":  {boss, hqBoss},
	rpc + "AccountService/CreateToken":   {signedIn, signedIn},
	rpc + "AccountService/ListSessions":  {signedIn, signedIn},
	rpc + "AccountService/EndSession":    {signedIn, signedIn},
	// PINs are a branch's. A browser is taken over whether its session has ended meanwhile or not; who may is asked of
	// the browser's own mark and the PIN.
	rpc + "AccountService/SetPin":     {signedIn, nobody},
	rpc + "AccountService/ListDesk":   {anyone, nobody},
	rpc + "AccountService/SwitchUser": {anyone, nobody},
	// Whose word a form at the till may name.
	rpc + "AccountService/ListManagers": {till, nobody},

	"GET /healthz":      {anyone, anyone},
	"GET /readyz":       {anyone, anyone},
	"GET /openapi.json": {anyone, anyone},
	"GET /ca.crt":       {anyone, anyone},
	// Also open to a program on the same machine.
	"GET /metrics": {boss, hqBossRead},

	// What no other route matches: "not found".
	"GET /":        {anyone, anyone},
	"GET /static/": {anyone, anyone},
	"POST /lang":   {anyone, anyone},
	// How to trust the certificate; how to sign in; how to enrol a branch that is not.
	"GET /trust":     {anyone, anyone},
	"GET /enrol":     {anyone, nobody},
	"POST /enrol":    {anyone, anyone}, // at HQ it takes a token from a program
	"GET /sign-in":   {anyone, anyone},
	"POST /sign-in":  {anyone, anyone},
	"POST /sign-out": {signedIn, signedIn},
	"GET /desk":      {anyone, nobody},
	"POST /desk":     {anyone, nobody},

	// Whether the caller is signed in: nothing else.
	"GET /here": {signedIn, signedIn},

	// Any other address: the page that says there is none.
	"/": {anyone, anyone},

	"GET /{$}":    {staff, hqStaff},
	"GET /search": {staff, hqStaff},
	"GET /events": {staff, hqStaff},
	"GET /line":   {staff, nobody},
	// Money: an order's account, a customer's, cards, the till of the day, and the fapiaos.
	"GET /serviceOrders/{id}/money":  {desk, nobody},
	"POST /serviceOrders/{id}/money": {till, nobody},
	"GET /customers/{id}/purse":      {desk, nobody},
	"POST /customers/{id}/purse":     {till, nobody},
	"GET /packageCards/{id}":         {desk, nobody},
	"POST /packageCards/{id}":        {till, nobody},
	"GET /till":                      {till, nobody},
	"POST /till":                     {till, nobody},
	"GET /overdrawn":                 {boss, hqRead},
	"POST /overdrawn":                {boss, hqData},
	"GET /fapiaos":                   {till, nobody},
	"GET /fapiaos/csv":               {till, nobody},
	"POST /fapiaos/{id}":             {till, nobody},
	"GET /arrived":                   {staff, nobody},
	"GET /board":                     {staff, nobody},
	"GET /board/move":                {bay, nobody}, // into another state
	"POST /board/move":               {bay, nobody},
	"GET /parts":                     {bay, nobody}, // parts that are not in stock
	"POST /parts":                    {bay, nobody},
	"POST /serviceOrders/{id}/parts": {bay, nobody},
	"GET /customers":                 {desk, nobody},
	"GET /customers/{id}":            {desk, hqRead},
	"GET /vehicles":                  {staff, nobody},
	"GET /vehicles/{id}":             {staff, hqStaff},
	"GET /serviceOrders":             {staff, nobody},
	"GET /serviceOrders/{id}":        {staff, hqStaff}, // at HQ it leads to the visit in its car's history
	"GET /history":                   {staff, nobody},
	// A record whose kind has no page of its own; whether the caller may see the kind is asked of the kind's rule.
	"GET /records/{collection}/{id}": {staff, nobody},
	"GET /branches":                  {staff, hqStaff},
	"GET /quarantine":                {nobody, hqWatch},
	"POST /quarantine":               {nobody, hqData}, // try again, or discard
	"POST /customers/{id}/pins":      {nobody, hqData}, // choose which value is shown, or undo it
	"GET /reports":                   {nobody, hqFigures},
	"GET /reports/{report}":          {nobody, hqFigures},
	"GET /reports/{report}/csv":      {nobody, hqFigures},
	"GET /account":                   {signedIn, signedIn},
	"POST /account":                  {signedIn, signedIn},
	"GET /accounts":                  {boss, hqBoss},
	"POST /accounts":                 {boss, hqBoss},

	// Sheets of an order to print. The job card has no prices.
	"GET /serviceOrders/{id}/jobcard":    {staff, nobody},
	"GET /serviceOrders/{id}/quote":      {desk, nobody},
	"GET /serviceOrders/{id}/settlement": {desk, nobody},

	// Who is one customer: questions, why, decisions and their withdrawal, what was joined and parted, and the
	// registrations of one, which may be parted.
	"GET /match":                   {nobody, hqRead},
	"GET /match/next":              {nobody, hqRead},
	"GET /match/explain":           {nobody, hqRead},
	"GET /match/decisions":         {nobody, hqRead},
	"GET /match/events":            {nobody, hqRead},
	"POST /match":                  {nobody, hqData},
	"POST /match/withdraw":         {nobody, hqData},
	"GET /customers/{id}/members":  {nobody, hqRead},
	"POST /customers/{id}/members": {nobody, hqData},

	// Forms of the branch's pages.
	"GET /customers/new":                {desk, nobody},
	"GET /customers/pick":               {desk, nobody},
	"GET /customers/pick.csv":           {boss, nobody}, // a list of everybody leaves the house on a manager's word
	"POST /customers":                   {desk, nobody},
	"POST /customers/like":              {desk, nobody}, // a POST: what is typed does not belong in an address
	"GET /customers/{id}/edit":          {desk, nobody},
	"POST /customers/{id}":              {desk, nobody},
	"POST /customers/{id}/restore":      {desk, nobody},
	"GET /contacts/new":                 {desk, nobody},
	"POST /contacts":                    {desk, nobody},
	"GET /contacts/{id}/edit":           {desk, nobody},
	"POST /contacts/{id}":               {desk, nobody},
	"POST /contacts/{id}/done":          {desk, nobody},
	"GET /insurancePolicies/new":        {desk, nobody},
	"POST /insurancePolicies":           {desk, nobody},
	"GET /insurancePolicies/{id}/edit":  {desk, nobody},
	"POST /insurancePolicies/{id}":      {desk, nobody},
	"GET /vehicles/new":                 {desk, nobody},
	"POST /vehicles":                    {desk, nobody},
	"GET /vehicles/{id}/edit":           {desk, nobody},
	"POST /vehicles/{id}":               {desk, nobody},
	"POST /vehicles/{id}/restore":       {desk, nobody},
	"POST /history":                     {staff, nobody},
	"POST /customers/{id}/keep":         {desk, nobody},
	"POST /vehicles/{id}/keep":          {desk, nobody},
	"GET /appointments":                 {staff, nobody},
	"GET /appointments/new":             {desk, nobody},
	"POST /appointments":                {desk, nobody},
	"GET /appointments/{id}":            {staff, nobody}, // leads to its day
	"GET /appointments/{id}/edit":       {desk, nobody},
	"POST /appointments/{id}":           {desk, nobody},
	"POST /appointments/{id}/step":      {desk, nobody}, // confirmed, reminded, no-show, cancelled, moved
	"POST /notes":                       {staff, nobody},
	"POST /attachments":                 {staff, nobody}, // a file and the attachment that names it
	"POST /attachments/{id}/retire":     {staff, nobody},
	"GET /attachments/{id}/file":        {staff, hqRead}, // of what the caller may see
	"GET /attachments/{id}/thumb":       {staff, hqRead},
	"GET /serviceOrders/new":            {bay, nobody},
	"POST /serviceOrders/new":           {bay, nobody}, // what is known of the car, as its plate is typed
	"POST /serviceOrders":               {bay, nobody},
	"POST /serviceOrders/{id}/state":    {bay, nobody},
	"POST /serviceOrders/{id}/work":     {bay, nobody}, // giving work out, judging it
	"GET /work":                         {bay, nobody}, // what a technician has to do
	"POST /work":                        {bay, nobody},
	"GET /serviceOrders/{id}/lines/new": {bay, nobody},
	"POST /serviceOrders/{id}/lines":    {bay, nobody},
	"GET /serviceLines/{id}/edit":       {bay, nobody},
	"POST /serviceLines/{id}":           {bay, nobody},

	// What an order has to do with others: sister branches, what comes back, insurers and makers.
	"GET /serviceOrders/{id}/edit":      {bay, nobody},
	"POST /serviceOrders/{id}":          {bay, nobody},
	"GET /serviceOrders/{id}/transfer":  {boss, nobody},
	"POST /serviceOrders/{id}/transfer": {boss, nobody},
	"GET /comebacks":                    {boss, nobody},
	"GET /loans":                        {staff, nobody}, // loan cars that are out
	"POST /loans":                       {bay, nobody},
	"GET /claims":                       {desk, nobody},
	"GET /claims/new":                   {till, nobody},
	"POST /claims":                      {till, nobody},
	"GET /claims/{id}":                  {desk, nobody},
	"GET /claims/{id}/edit":             {till, nobody},
	"POST /claims/{id}":                 {till, nobody},
	"POST /claims/{id}/lines":           {till, nobody},
	"POST /claims/{id}/step":            {till, nobody},

	// The walk round a car: read by whoever sees the car, written where work is done.
	"GET /serviceOrders/{id}/inspection":  {staff, nobody},
	"POST /serviceOrders/{id}/inspection": {bay, nobody},
	"GET /inspections/{id}":               {staff, nobody},
	"POST /inspections/{id}":              {bay, nobody},
	"GET /inspections/{id}/print":         {staff, nobody},
	// The talk with the customer: prices and phones stand in it.
	"GET /serviceOrders/{id}/answer":   {till, nobody},
	"POST /serviceOrders/{id}/answer":  {till, nobody},
	"POST /serviceOrders/{id}/promise": {till, nobody},
	"GET /serviceOrders/{id}/tell":     {till, nobody},
	"POST /serviceOrders/{id}/tell":    {till, nobody},
	"POST /serviceOrders/{id}/package": {bay, nobody},
}

func find(site Site, what string) (rule, bool) {
	p, ok := rules[what]
	switch {
	case !ok:
		return nobody, false
	case site == Node:
		return p.node, true
	case site == HQ:
		return p.hq, true
	}
	return nobody, false
}

// HasRule tells whether the table says anything about what: a Connect procedure or a page route.
func HasRule(site Site, what string) bool {
	_, ok := find(site, what)
	return ok
}

// Allowed tells whether somebody with these roles may do what at the site. Without a rule nobody may.
func Allowed(site Site, what string, have []branchlinev1.Role) bool {
	r, _ := find(site, what)
	return r.allows(have)
}

// MayFirst tells whether what is open to a caller who signed in with a password for
// one use: setting their own, what its page needs, and leaving.
func MayFirst(what string) bool {
	switch what {
	case rpc + "AccountService/SignIn", rpc + "AccountService/SignOut", rpc + "AccountService/WhoAmI", rpc + "AccountService/UpdateAccount",
		rpc + "AccountService/ListSessions", rpc + "AccountService/EndSession",
		rpc + "AccountService/ListDesk", rpc + "AccountService/SwitchUser", "GET /desk", "POST /desk",
		"GET /here", "GET /account", "POST /account", "POST /sign-in", "POST /sign-out", "POST /lang", "GET /static/", "GET /trust", "GET /ca.crt",
		"GET /healthz", "GET /readyz", "GET /openapi.json":
		return true
	}
	return false
}

// Public tells whether what needs no sign-in at the site.
func Public(site Site, what string) bool {
	r, _ := find(site, what)
	return r.public
}

// Who says in words who may do what at the site.
func Who(site Site, what string) string {
	r, _ := find(site, what)
	switch {
	case r.public:
		return "anyone"
	case r.signed:
		return "anyone signed in"
	case len(r.roles) == 0:
		return "nobody"
	}
	return Names(r.roles)
}

// Routes are the page routes the table knows, in order; the rest of its keys are procedures.
func Routes() []string {
	var out []string
	for what := range rules {
		if !strings.HasPrefix(what, rpc) {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}
