package checksum_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/slipway-dev/slipway/kernel/awsapi/checksum"
)

// The check values of the catalogue of parametrised CRC algorithms, and of the
// standards of the others, over "123456789".
func TestChecksumsAreThoseOfTheStandards(t *testing.T) {
	for name, want := range map[string]string{
		"CRC32":     "y/Q5Jg==",     // cbf43926
		"CRC32C":    "4waSgw==",     // e3069283
		"CRC64NVME": "rosUhgp5mIg=", // ae8b14860a799888
	} {
		if got := of(t, name, "123456789"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := of(t, "SHA256", ""); got != "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" {
		t.Errorf("SHA256: %s", got)
	}
}

func of(t testing.TB, name, text string) string {
	t.Helper()
	h, ok := checksum.New(name)
	if !ok {
		t.Fatalf("no %s", name)
	}
	h.Write([]byte(text))
	return checksum.Value(h)
}

func TestTheChecksumOfPartsIsThatOfTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.SampledFrom([]string{"CRC32", "CRC32C", "CRC64NVME"}).Draw(rt, "algorithm")
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "text"))
		cut := rapid.IntRange(0, len(text)).Draw(rt, "cut")
		got, ok := checksum.Combine(name, of(t, name, text[:cut]), of(t, name, text[cut:]), int64(len(text)-cut))
		if want := of(t, name, text); !ok || got != want {
			rt.Errorf("%s, want %s", got, want)
		}
	})
}

func TestHeadersNameTheirAlgorithm(t *testing.T) {
	for _, name := range checksum.Names {
		if got, ok := checksum.OfHeader(checksum.Header(name)); !ok || got != name {
			t.Errorf("%s travels in %s, which is %s", name, checksum.Header(name), got)
		}
		if value := of(t, name, "x"); !checksum.Valid(name, value) || checksum.Valid(name, value[1:]) {
			t.Errorf("%s: %s", name, value)
		}
	}
	for _, header := range []string{"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type", "Content-Md5"} {
		if name, ok := checksum.OfHeader(header); ok {
			t.Errorf("%s is taken for %s", header, name)
		}
	}
}
