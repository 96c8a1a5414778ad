package store

import (
	"bytes"
	"encoding/json"
)

// SameJSON compares values, not texts: PostgreSQL orders fields anew.
func SameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return err == nil && err2 == nil && bytes.Equal(p, q)
}

// Convert answers what one makes of each row.
func Convert[Row, T any](rows []Row, one func(*Row) T) []T {
	items := make([]T, len(rows))
	for i := range rows {
		items[i] = one(&rows[i])
	}
	return items
}
