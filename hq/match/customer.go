package match

// CustomerFields are the columns that a group's customers are matched by, in the order
// of the values of a Record. Several values of one column stand apart by a semicolon. last4 is the end of the national id as it may be shown; id_hash is a token
// that is equal for equal ids and says nothing else.
func CustomerFields() []Field {
	return []Field{
		{"name", Name},
		{"other_names", Name},
		{"phones", Phone},
		{"last4", Last4},
		{"id_hash", NationalID},
		{"address", Address},
		{"email", Email},
		{"birthday", Birthday},
		{"plates", Plate},
		{"vins", VIN},
		{"type", Category},
	}
}
