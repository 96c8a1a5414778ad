package once_test

import (
	"testing"

	"github.com/m-cmp/mc-infra-connector/internal/engine/enginetest"
)

func TestMain(m *testing.M) { enginetest.Main(m, nil) }
