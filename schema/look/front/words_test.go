package front_test

import (
	"os"
	"testing"

	"branchline/schema/look/front"
	"branchline/schema/look/looktest"
)

func TestWords(t *testing.T) {
	looktest.CheckWords(t, os.DirFS("."), front.Words(), "system.*")
}
