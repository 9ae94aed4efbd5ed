// Package mapfile reads foreign CSV files through a map: a TOML file that says which
// column becomes which field of which kind of record.
//
// Rules:
//   - A map says everything. Nothing is guessed from the content of a row except
//     the encoding ("auto") and spellings that have one reading only.
//   - A row is taken whole or not at all. What cannot be read is a Violation with
//     the line, field, value and reason; the rows around it are not touched.
//   - A key of the map that is not known here is refused with its name and line,
//     so that a slip of the pen never means "leave that out".
//   - The source and the key columns make the source id: it is the row's identity
//     for ever, so that taking a file twice makes nothing twice.
//
// It does no I/O of its own but through the fs.FS it is given, knows no database
// and sends nothing: it turns rows into ImportRow messages.
//
// # The map
//
//	kind      = "service_order"    # a kind of the schema; may be absent where rows are only read
//	source    = "sakila"           # name of the system the rows come from
//	key       = ["rental_id"]      # several columns are joined with "/"
//	encoding  = "auto"             # auto, utf-8 (with or without mark), gb18030, utf-16 (with mark)
//	separator = ","                # one character; "\t" for tabs
//	header    = true               # false: the columns are "1", "2", …
//	where     = { store_id = "1" } # after joins; every value must be equal; the caller may override
//
//	[shard]                        # a part of the rows, by a column; the caller may override of and index
//	column = "dealer"
//	of     = 3                     # SHA-256 of the trimmed value, first 8 bytes big-endian, modulo of
//	index  = 0                     # from 0
//
//	[[join]]                       # rows of a file beside the input
//	file     = "inventory.csv"
//	on       = { inventory_id = "inventory_id" } # column here = column there
//	take     = ["store_id"]        # columns taken over; they must not exist yet
//	sum      = ["amount"]          # numbers added up over all matching rows
//	optional = false               # true: no match leaves the columns empty, else the row is rejected
//
//	[[field]]
//	column   = "rental_date"       # or columns = ["first", "last"], joined with a blank
//	value    = "SETTLED"           # or a constant
//	to       = "opened_at"         # a path, see below
//	type     = "time"              # text name phone plate vin day time money number hours bool ref
//	format   = "2006-01-02 15:04"  # day, time: a Go layout, or unix, unixms; money, number, hours: 1,234.56 (default), 1.234,56 or 1 234,56
//	zone     = "Asia/Shanghai"     # time; default: the caller's
//	values   = { Y = "PERSON" }    # spelled out before conversion; others pass as they are
//	minus    = "labour"            # money, number: a column to subtract
//	required = true                # an empty value rejects the row
//	source   = "crm"               # ref: the source of the other record's id; default: the map's
//	create   = true                # ref: make a stub when the other record is absent
//
// # A map for matching
//
// has no kind and says what columns hold:
//
//	id = ["branch", "local_id"]    # columns that make the record id, joined with "/"; without: the row's number
//
//	[[field]]
//	column = "name"
//	type   = "name"                # name given_name family_name phone email street house_number locality
//	                               # postcode region address birthday year national_id last4 plate vin
//	                               # company text number category timestamp ignore
//
// encoding, separator, header, where, shard and join mean what they mean above.
//
// Paths: name, phones.0.number (an entry of a list), consent_survey.given (a field
// of a message), lines.0.amount (of a service order's first line, a record of its
// own made with it), vehicle.vin (of the stub of the reference vehicle). A line, a
// list entry or a stub's part is made only if one of its columns has a value;
// constants alone make nothing where there are columns too.
//
// The field source_ids gets the source and the key by itself, in stubs too, and
// vin_checked what schema/vin says of the number.
package mapfile
