// Package reason gives what one part of the program says to a person about why something is as it is a code, so that
// each reader is told in their own language.
//
// Rules:
//   - What is stored and what travels is the English sentence, with its arguments in place: it is what old files and old
//     peers hold. Of reads the code and the arguments back out of it.
//   - The list of codes is closed. A test reads the sentences out of the source of every room that says one and fails for
//     one that has no code; look/say fails for a code without words in a language.
//   - A sentence once said is never taken out of the list, since old databases hold it.
//
// It promises no words for people: they are look/say's (Sayer.Reason). It is pure.
package reason

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Code names a reason.
type Code string

// Reason is a code with its arguments as they stood in the sentence. An argument may be a sentence with a code itself.
type Reason struct {
	Code Code
	Args []string
}

// sentence is one of the list; several may have one code. {0} is the first argument; arguments stand in order.
type sentence struct {
	code Code
	text string
}

// sentences is the closed list: of outcomes, verdicts at hello, alarms, warnings, answers that did not come, and doubts
// and faults of forms.
func sentences() []sentence {
	return []sentence{
		{"waits_for", "waits for change {0}"},
		{"later_shown", "a later value is shown"},
		{"discarded", "discarded at headquarters"},
		{"another_copy", "another copy of it is in"},
		{"unreadable", "it cannot be read: {0}"},
		{"not_applied", "it could not be applied: {0}"},
		{"broke_merge", "it broke the merge: {0}"},
		{"values_unreadable", "values cannot be read: {0}"},
		{"salvaged", "salvaged: it came under a key that has been replaced, or of a retired branch"},
		{"other_kind", "the record is of another kind"},
		{"home_given", "the branch had given the record's home away"},
		{"home_elsewhere", "the record's home is elsewhere, as far as headquarters knows"},
		{"unknown_kind", "this program does not know records of kind {0}"},
		{"unknown_field", "{0} has a field {1} this program does not know"},
		{"no_record", "the change names no record"},
		{"no_time", "the change has no effective time"},
		{"no_origin", "the change names no origin that could be"},
		{"entry_branch", "the change names an entry of a branch {0}"},
		{"no_home", "{0} is no home for a record"},
		{"no_actor", "the change does not say who made it"},
		{"hq_only", "only headquarters writes records of kind {0}"},
		{"foreign_role", "a branch's change made in the role {0}"},
		{"role_given", "not allowed: a branch cannot give the role {0}; HQ gives it"},
		{"other_form", "{0} has another form"},
		{"twice", "{0} is written twice in one change"},
		{"too_many", "{0} has more than {1} values"},
		{"out_of_range", "{0} is {1}, not {2} to {3}"},
		{"no_instant", "{0} is no instant"},
		{"no_text", "{0} is not valid UTF-8"},
		{"length", "{0} has {1} characters, allowed are {2} to {3}"},
		{"no_day", "{0} is not a day"},
		{"no_id", "{0} is not a record id"},
		{"key_revoked", "the branch's key is revoked"},
		{"key_replaced", "the branch's key has been replaced"},
		{"retired", "the branch is retired"},
		{"other_boot", "another machine answers as this branch"},
		{"upgrade", "upgrade needed: the branch speaks schema {0} to {1}, headquarters {2} to {3}"},
		{"false_ack", "{0} is counted as acknowledged up to {1}, headquarters has {2} and signed no such receipt"},
		{"superseded", "epoch {0} grew out of the one running here: a restored copy has taken over"},
		{"epoch_seen", "the branch has seen an epoch that headquarters does not have"},
		{"epoch_receipt", "the branch holds a receipt of an epoch that headquarters does not have"},
		{"receipt_beyond", "the branch holds a receipt for {0} up to {1}, headquarters has {2}"},
		{"rev_beyond", "the branch holds a receipt that names rev {0} of an epoch that ended at {1} here"},
		{"adopt", "unknown here, a re-enrolment is open"},
		{"never_issued", "headquarters never issued this incarnation; re-enrol the branch"},
		{"never_issued_former", "headquarters never issued this former incarnation"},
		{"frozen", "the incarnation was frozen"},
		{"branch_restored", "the branch was restored from a copy"},
		{"branch_forgot", "headquarters has {0} changes, the branch has forgotten those up to {1}"},
		{"branch_behind", "the branch has {0} changes, headquarters {1}"},
		{"not_same", "the branch's change {0} is not headquarters'"},
		{"missing_forgotten", "the branch has forgotten what headquarters misses of it"},
		{"missing_forgotten", "the branch has forgotten what headquarters misses of a former incarnation"},
		{"former_other_way", "the former incarnation went another way at headquarters"},
		{"former_below", "it went another way at headquarters, below what the branch still has"},
		{"and_forgotten", "{0}; what headquarters misses is forgotten at the branch"},
		{"and_below", "{0}; they parted below what the branch still has"},
		{"not_enrolled", "this branch is not enrolled"},
		{"not_enrolled", "not enrolled"},
		{"turned_away", "headquarters turned this branch's key away"},
		{"other_key", "headquarters signs with another key than the one this branch was enrolled with"},
		{"certificate_bad", "headquarters wants a new incarnation, and its certificate does not count: {0}"},
		{"certificate_other", "headquarters wants a new incarnation, and its certificate is for another machine"},
		{"nothing_said", "headquarters said nothing of incarnation {0}"},
		{"gate_refused", "REFUSED"},
		{"gate_salvage", "SALVAGE"},
		{"gate_read_only", "READ_ONLY"},
		{"gate_local_only", "LOCAL_ONLY"},
		{"nothing_to_ask_by", "the car has neither a VIN nor a plate to ask headquarters by"},
		{"no_answer", "headquarters did not answer: {0}"},
		{"answer_unreadable", "headquarters' answer cannot be read: {0}"},
		{"token_again", "a used enrolment token was tried with another key"},
		{"pack_nobody", "a pack of no branch"},
		{"pack_other_road", "a pack of {0} on the road of {1}"},
		{"pack_signature", "its signature is not the branch's"},
		{"pack_other_branch", "a pack of an incarnation of another branch"},
		{"other_chain", "changes {0} to {1} of {2} are not those headquarters has"},
		{"group_too_large", "more than {0} records share one key of kind {1}: they are not joined by it"},
		{"group_too_large", "more than {0} customers share one key of kind {1}: they are not joined by it"},
		{"swallows", "{0} questions are about groups of more customers than one party has: they stand first in the list of questions"},
		{"put_back", "headquarters was put back from an older copy: it waits for the ledgers of all branches"},
		{"two_machines", "two machines answer as this branch: boot {0} and boot {1}"},
		{"clock_off", "the branch's clock is off"},
		{"clock_off_by", "the branch's clock is {0} off headquarters'"},
		{"disk_low", "the branch's disk is nearly full"},
		{"disk_left", "only {0} MB are free on the branch's disk"},
		{"vin_length", "a VIN has 17 characters, this one {0}"},
		{"vin_ioq", "a VIN has none of the letters I, O and Q"},
		{"vin_digit", "the VIN's check digit does not fit: a character is probably wrong"},
		{"vin_wrong", "the VIN looks wrong"},
		{"vin_suggest", "{0}; perhaps {1} is meant"},
		{"km_less", "it is less than the {0} km of {1}"},
		{"km_far", "it is {0} km more than on {1}"},
		{"really", "{0}. Is it really so?"},
		{"day_form", "{0} is not a day: write it as 2026-11-21"},
		{"too_long", "must be at most {0} characters"},
		{"at_least", "must be greater than or equal to {0}"},
		{"at_most", "must be less than or equal to {0}"},
		{"between", "must be greater than or equal to {0} and less than or equal to {1}"},
		{"required", "value is required"},
		{"not_shared", "is not shared between companies: this {0} belongs to branch {1} of another company, which keeps it"},
		{"password_short", "has {0} characters; at least {1} are needed"},
		{"password_long", "is too long"},
		{"password_spent", "is the one that was for one use: choose another"},
		{"password_needed", "is needed to set a new one"},
		{"password_wrong", "is wrong"},
		{"no_money_text", "is no amount of money"},
		{"no_count", "is no number"},
		{"stands_still", "stands still until the customer has said yes: write down what they say"},
		{"said_who", "say who said it"},
		{"said_phone", "say on which phone, or that they were here"},
		{"no_signature", "is no signature on this order"},
		{"none_of_order", "is none of this order's"},
		{"done_already", "the work is done already: say who pays for it instead"},
		{"no_line_answer", "is no answer: it is approved or declined"},
		{"clock_for", "an adviser or a manager clocks for another"},
		{"line_declined", "the customer has said no to it: nothing is done before they say yes"},
		{"line_still", "it stands still: ask the adviser for the customer's yes first"},
		{"clock_before", "is before the work began"},
		{"check_still", "it stands still: there is nothing to judge"},
		{"line_other", "is no line of this order"},
		{"technician_unknown", "is nobody of this branch"},
		{"settle_money", "an order is settled payer by payer, on the page of its money"},
		{"cancel_settled", "it is settled: reverse the settlement first, then give the money back"},
		{"cancel_money", "money has been taken for it: give it back first"},
		{"cancel_card", "a card was used for it: take the use back first"},
		{"unpaid", "not everything is paid"},
		{"by_counter", "a {0} is written at the counter, by an act that keeps its limits: not allowed"},
		{"by_step", "is reached by a step of the workshop, which asks what belongs to it"},
		{"by_settling", "is written by settling, handing over or giving up the order"},
		{"by_bay", "is written at the car: by clocking on and off, by putting a clock right, by the quality check"},
		{"order_closed", "the order is closed: nothing is promised any more"},
		{"promised_already", "is what is promised already"},
		{"settled_already", "is settled already: reverse its settlement first"},
		{"nothing_to_settle", "has nothing to settle"},
		{"discount_lines", "is more than the lines leave: {0}"},
		{"discount_limit", "is {0}, your role gives {1} at most: a manager's PIN is needed"},
		{"discount_beyond", "{0} may give {1} at most"},
		{"not_standing", "does not stand any more"},
		{"manager_pin", "a manager's PIN is needed"},
		{"no_manager", "{0} is no manager of this branch"},
		{"word_wrong", "is wrong, or counts for nothing here"},
		{"one_card", "one card at a time"},
		{"too_much", "is too much"},
		{"more_than_owed", "is more than is owed: {0}"},
		{"settle_first", "settle first: only what is settled goes on account"},
		{"own_part", "only the customer's own part goes on account: what others owe stays open in the order"},
		{"credit_limit", "the customer would owe {0}, the limit is {1}: a manager's PIN is needed"},
		{"back_form", "money is given back in a form it is kept in"},
		{"back_most", "is more than there is to give back: {0}"},
		{"owing_owed", "what is owed is not paid by owing it"},
		{"closed_already", "is closed already"},
		{"not_come", "has not come yet"},
		{"count_differs", "counted and recorded differ: say why"},
		{"paid_with_order", "what is sold with an order is paid with it"},
		{"card_price", "is {0}, the card costs {1}"},
		{"card_by_card", "a card is not bought with a card"},
		{"order_settled", "is settled already: sell the card by itself"},
		{"no_service", "stored money is no use of a service: pay with it"},
		{"no_money", "there is no money on this card: its uses are lines of an order"},
		{"taken_back", "is taken back already"},
		{"back_with_payment", "stored money comes back with the payment: reverse that"},
		{"no_bearer", "{0} is neither a branch nor the customer"},
		{"borne_already", "it is said already who bears it"},
		{"within_sold", "is within what was sold"},
		{"request_needed", "is needed to pay with a card"},
		{"needs_hq", "stored money needs headquarters, which cannot be reached now"},
		{"card_retired", "the sale of the card was taken back"},
		{"card_elsewhere", "another company of the group sold the card"},
		{"card_expired", "the card was good until {0}"},
		{"card_car", "the card is for another car"},
		{"part_car", "came for another car"},
		{"card_money", "there is less on the card: {0}"},
		{"card_uses", "there are fewer uses left: {0}"},
		{"card_unknown", "headquarters does not have the card yet"},
		{"spend_other", "the request is another's"},
		{"spend_back", "the spending was taken back: send the payment anew"},
		{"spend_none", "there is no such spending of this branch to take back"},
		{"overdrawn", "card {0} is used beyond what was sold: order {1} of {2} took the last, order {3} of {4} came after it"},
		{"overdrawn_first", "card {0} is used beyond what was sold by order {1} of {2}"},
		{"pin_form", "a PIN is {0} to {1} digits"},
		{"pin_trivial", "is one of the first that anybody would try: choose another"},
		{"pin_account", "a PIN belongs to an account: sign in as that account to set one"},
		{"pin_own", "everybody sets their own: it can only be taken away"},
		{"pin_wrong", "the PIN is wrong, or counts for nothing here: not signed in"},
		{"account_name", "is made of 1 to 32 small letters, digits, dots, dashes and underscores, and begins with a letter or digit"},
		{"account_reserved", "is reserved"},
		{"roles_needed", "name at least one of {0}"},
		{"role_elsewhere", "{0} is no role of this site: it has {1}"},
		{"last_administrator", "is the last one with the role {0}: make another first"},
		{"name_car", "name the car: by vehicle, vin or plate"},
		{"not_here_of", "there is no {0} {1} of {2} at this branch"},
		{"stub_kind", "its stub is a {0}, not a {1}"},
		{"row_record", "${0} is no record of the row"},
		{"is_no", "{0} is no {1}"},
		{"no_collection", "there is no collection {0}"},
		{"form_broken", "is not what the form had"},
		{"not_restorable", "is not one that can be restored"},
		{"not_of_field", "is not one of the field"},
		{"note_about", "a note is about a customer, a vehicle or an order"},
		{"no_order_state", "is no state of an order"},
		{"missing", "is missing"},
		{"missing", "the new one is missing"},
		{"page_token", "was not given for this list: begin again without one"},
		{"no_kind", "there is no kind {0}"},
		{"no_such_kind", "there is no such kind of record"},
		{"body_other", "its body is no {0}"},
		{"needs_actor", "an edit needs who did it and in which role"},
		{"request_used", "was used for another record a short while ago: make a new one"},
		{"not_here", "there is no {0} {1} at this branch"},
		{"no_field", "a {0} has no field {1}"},
		{"no_name", "{0} is neither a resource name nor a record id"},
		{"has_none", "a {0} has none"},
		{"no_state", "a {0} has no state {1}"},
		{"only_customers", "only customers have one"},
		{"national_letters", "has a character that no id has"},
		{"national_length", "has 6 to 20 characters"},
		{"national_check", "its last character does not fit: one of the others is probably wrong"},
		{"foreign_fields", "holds fields that a {0} does not have"},
		{"no_values", "the new {0} has no values"},
		{"no_list", "is no list: it cannot be added to"},
		{"names_no_field", "names no field"},
		{"etag", "is missing or not one that was given out: read the record again and send its etag back"},
		{"branch_code", "{0} is not a branch code: a small letter, then one to seven small letters or digits"},
		{"entity_code", "{0} is not a legal entity code: a small letter, then one to seven small letters or digits"},
		{"id_length", "{0} is not a record id: it has {1} characters instead of 26"},
		{"id_bytes", "a record id has 16 bytes, not {0}"},
		{"change_id", "{0} is not a change id: branch/incarnation/seq"},
		{"change_id", "{0} is not a change id: bad incarnation"},
		{"change_id", "{0} is not a change id: bad seq"},
		{"resource_name", "{0} is not a resource name: collection/id"},
		{"no_body", "has no body: give exactly one of the kinds, such as customer"},
		{"no_zone", "{0} is not an IANA zone such as Asia/Shanghai"},
		{"order_by", "a list of {0} is ordered by one of: {1}"},
		{"token_account", "a token belongs to an account: sign in as that account to make one"},
		{"token_label", "say what the token is for"},
		{"token_days", "is 1 to {0}"},
		{"tokens_full", "the account has {0} tokens: end one first"},
		{"local_token", "the local token ends with the process"},
		{"no_act", "{0} is nothing to do with an account"},
		{"no_act_loan", "{0} is nothing to do with a loan car"},
		{"no_act_parts", "{0} is nothing to do with parts"},
		{"no_page", "is no page of this site"},
		{"no_role", "{0} is no role: the roles of a branch are {1}; those of HQ {2}"},
		{"neither", "{0} is neither {1} nor {2}"},
		{"no_change", "{0} is no change"},
		{"no_report", "there is no report {0}: one of {1}"},
		{"not_one_of", "{0} is not one of {1}"},
		{"said_twice", "says {0} twice"},
		{"from_after", "{0} comes after the last day, {1}"},
		{"from_future", "{0} is after today: say to"},
		{"report_rows", "gives {0} rows, more than {1}: ask for a shorter time or break it down less"},
		{"one_time", "the password you signed in with is for one use: set your own first: not allowed"},
		{"sign_in", "sign in first: not signed in"},
		{"role_may_not", "your role may not do this ({0} may): not allowed"},
		{"role_sees_not", "your role may not see records of the kind {0}: not allowed"},
		{"role_changes_not", "your role may not change records of the kind {0}: not allowed"},
		{"sign_in_wrong", "the account or the password is wrong: not signed in"},
		{"session_over", "the {0} is over; sign in again: not signed in"},
		{"no_text_value", "is not valid UTF-8"},
		{"no_source_ids", "a {0} has no source ids: it could not be told whether it is in already"},
		{"no_reference", "is no reference of a {0}"},
		{"hq_gives", "only headquarters gives the role {0}"},
		{"about", "say which customer, car or order it is about"},
		{"who_comes", "say who comes: a customer, a car, a name, a phone or a plate"},
		{"positive", "must be more than 0"},
		{"negative", "must be less than 0: it takes something back"},
		{"not_zero", "must not be 0"},
		{"say_why", "say why"},
		{"which_card", "say which card"},
		{"account_customer", "what stands on account needs a customer"},
		{"money_for", "say what the money is for: an order, a customer or a card"},
		{"sum_off", "is {0}, its parts make {1}"},
		{"twice_in", "stands in it twice"},
		{"parts_not_yet", "what is ordered now has not come yet"},
		{"parts_on_order", "is on order already: change the day it is expected"},
		{"parts_nothing", "nothing is said about its part"},
		{"no_file_name", "names no attachment"},
		{"taken_in", "its car has been taken in already"},
		{"not_sold", "is not sold any more"},
		{"sha_bytes", "has {0} bytes, a SHA-256 has 32"},
		{"one_of_two", "say how many uses or how much money, one of the two"},
		{"stored_money", "stored money is used through headquarters only"},
		{"stays", "{0} stays as it was written"},
		{"role_kind", "the role {0} does not write records of kind {1}"},
		{"empty", "is empty"},
		{"go_on_where", "say where headquarters is to go on: superseded, or the branches not waited for"},
		{"elsewhere_branch", "is for a branch: headquarters has no records of its own to leave out"},
		{"same_registration", "is the same registration as a: name another"},
		{"both_sides", "{0} stands on both sides"},
		{"of_withdrawal", "is of a withdrawal, which this takes back"},
		{"pin_stays", "a pin is not changed: retire it and pin the other value"},
		{"pin_which", "name the registration whose value it is"},
		{"not_chosen_by", "{0} is not chosen by anybody: it follows from what was registered"},
		{"not_chosen_by", "is not one that is chosen"},
		{"one_value", "give one value of {0}, and nothing else"},
		{"pin_foreign", "the value is of {0}, another company's registration: pin it there; it goes where that registration goes"},
		{"decision_stays", "the {0} of a decision stays: withdraw it and decide again"},
		{"for_ever", "the {0} of a {1} is for ever"},
		{"branch_retired_by", "a branch is retired by RetireBranch (branchline hq branch retire)"},
		{"entity_added_by", "a legal entity is added by AddEntity (branchline hq entity add)"},
		{"branch_added_by", "a branch is added by AddBranch (branchline hq branch add), which gives its enrolment token"},
		{"decision_made_by", "a decision is made by Decide (branchline match decide), which says what it changes"},
		{"page_token", "is none of this list"},
		{"name_car", "name a vehicle, a VIN or a plate"},
		{"no_entity", "there is no legal entity {0}: add it first (branchline hq entity add)"},
		{"no_branch", "there is no branch {0}"},
		{"none_such", "there is no {0} {1}"},
		{"entity_code", "{0} is no code of a legal entity: a small letter, then 1 to 7 small letters or digits"},
		{"branch_code", "{0} is no code of a branch: a small letter, then 1 to 7 small letters or digits; hq is headquarters itself"},
		{"id_empty", "a record has an empty id"},
		{"id_twice", "the id {0} stands there twice"},
		{"id_unfit", "the id {0} is empty or stands there twice"},
		{"id_again", "{0} line {1}: the id {2} stands in line {3} already"},
		{"id_column_empty", "{0} line {1}: the id's column {2} is empty"},
		{"at_line", "{0} line {1}: {2}"},
		{"map_import", "{0} is a map for an import: one for matching has id and typed columns, and no kind"},
		{"no_rows", "{0} has no rows to match"},
		{"model_bad", "the match model cannot be read: {0}"},
		{"model_format", "the match model has format {0}; this program reads {1}"},
		{"model_torn", "the match model is torn: {0}"},
		{"no_records", "there are no records to learn from"},
		{"record_values", "record {0} has {1} values for {2} fields"},
		{"columns_most", "more than {0} columns to compare"},
		{"columns_none", "no column to compare: give fields of other types than timestamp and ignore"},
		{"no_type", "column {0}: there is no type {1}"},
		{"map_no_kind", "says no kind: rows of it cannot be imported"},
		{"file_missing", "is missing: give the path of a CSV file"},
		{"other_file", "must be another file than {0}"},
		{"key_again", "the key stands in line {0} already, with other content"},
		{"is_folder", "{0} is a folder, not a CSV file"},
		{"join_rows", "join {0}: the file has too many rows to join: more than {1} cells"},
		{"join_column", "join {0}: there is a column {1} already"},
		{"join_no_column", "join {0}: there is no column {1}; there are {2}"},
		{"join_lacks", "join {0}: there is no column {1}"},
		{"in_join", "join {0}: {1}"},
		{"no_shard", "the map {0} has no [shard] column: name one"},
		{"no_column", "map {0}, {1}: the file has no column {2}; it has {3}"},
		{"file_empty", "the file is empty"},
		{"no_header", "the file is empty: not even a header line"},
		{"column_twice", "line {0}: the column {1} stands there twice"},
		{"rows_most", "the file has more than {0} rows: cut it in pieces"},
		{"map_bad", "map {0}: {1}"},
		{"file_of", "a file belongs to an order, a line, a car, a customer, an inspection or a claim"},
		{"file_not_here", "names no file that was handed in here: post the file to /attachments, which makes the attachment"},
		{"no_file_form", "the form is not multipart/form-data"},
		{"fields_most", "a form may bring {0} fields and files"},
		{"kept_elsewhere", "store: {0} is kept by branch {1}: not allowed"},
		{"order_elsewhere", "the order is branch {0}'s, which works on it: not allowed"},
		{"order_elsewhere", "the order is branch {0}'s, which settles it: not allowed"},
		{"order_is_here", "the order is here"},
		{"branch_closed", "the branch {0} is closed"},
		{"other_company", "{0} is another company's: what is owed there is owed to somebody else"},
		{"clocked_on", "{0} works on it: clock off first"},
		{"settled_by", "is settled by {0}: reverse that first, or leave it here"},
		{"claim_settled", "is settled by {0}: reverse that first"},
		{"claim_line", "is none of the claim's lines"},
		{"claim_cost", "is more than the line costs: {0}"},
		{"claim_state", "is no state of a claim"},
		{"trouble", "hello: {0}"},
		{"trouble", "answer to hello: {0}"},
		{"trouble", "ledger: {0}"},
		{"trouble", "heartbeat: {0}"},
		{"trouble", "pull: {0}"},
		{"trouble", "page: {0}"},
		{"trouble", "apply page: {0}"},
		{"trouble", "receipt: {0}"},
		{"trouble", "store receipt: {0}"},
		{"trouble", "read changes: {0}"},
		{"trouble", "make pack: {0}"},
		{"trouble", "fork: {0}"},
		{"trouble", "take back: {0}"},
		{"trouble", "re-issue: {0}"},
	}
}

// Codes lists every code, in the order of the list.
func Codes() []Code {
	var out []Code
	for _, s := range sentences() {
		if !slices.Contains(out, s.code) {
			out = append(out, s.code)
		}
	}
	return out
}

// Arguments is how many arguments the sentences of a code have.
func (c Code) Arguments() int {
	for _, s := range sentences() {
		if s.code == c {
			return strings.Count(s.text, "{")
		}
	}
	return 0
}

type pattern struct {
	code  Code
	whole bool // it is the text of an error
	text  *regexp.Regexp
	tail  bool // it adds to another reason, its first argument
	words int  // how much of it is no argument
}

var place = regexp.MustCompile(`\\\{\d\\\}`)

// patterns are the sentences as expressions: first those that add to another, then those that say most by themselves.
var patterns = sync.OnceValue(func() []pattern {
	var out []pattern
	for _, s := range sentences() {
		text := place.ReplaceAllString(regexp.QuoteMeta(s.text), "(.*)")
		out = append(out, pattern{
			s.code, strings.HasSuffix(s.text, ": not allowed") || strings.HasSuffix(s.text, ": not signed in"), regexp.MustCompile("(?s)^" + text + "$"), strings.HasPrefix(s.text, "{0}; ") || strings.HasPrefix(s.text, "{0}. "),
			len(place.ReplaceAllString(regexp.QuoteMeta(s.text), "")),
		})
	}
	slices.SortStableFunc(out, func(x, y pattern) int {
		if x.tail != y.tail {
			if x.tail {
				return -1
			}
			return 1
		}
		return cmp.Compare(y.words, x.words)
	})
	return out
})

// OfError is Of for the text of a whole error, which says what is to be done about a
// request, not what is wrong with one of its fields.
func OfError(text string) (r Reason, ok bool) {
	for _, p := range patterns() {
		if !p.whole {
			continue
		}
		if found := p.text.FindStringSubmatch(text); found != nil {
			return Reason{p.code, found[1:]}, true
		}
	}
	return Reason{}, false
}

// Of reads the code and the arguments out of a sentence. ok is false for one that is not in the list: a newer peer's.
func Of(text string) (r Reason, ok bool) {
	for _, p := range patterns() {
		if found := p.text.FindStringSubmatch(text); found != nil {
			return Reason{p.code, found[1:]}, true
		}
	}
	return Reason{}, false
}
