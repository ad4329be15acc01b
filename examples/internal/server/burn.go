package server

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

// longestBurn bounds what one request can burn.
const longestBurn = time.Second

// burn answers GET /<service>/burn?for=20ms after having kept a processor busy that long: for seeing auto scaling at work. It is there
// only where the variable BURN is "on", since it lets every client use up the service.
func burn(w http.ResponseWriter, r *http.Request) {
	span, err := time.ParseDuration(or(r.URL.Query().Get("for"), "20ms"))
	if err != nil || span < 0 || span > longestBurn {
		Fail(w, r, http.StatusBadRequest, "for is a time of at most "+longestBurn.String()+", such as 20ms")
		return
	}
	sum := fnv.New64a()
	for began := time.Now(); time.Since(began) < span; {
		for range 1000 {
			_, _ = sum.Write([]byte{1})
		}
	}
	WriteJSON(w, http.StatusOK, map[string]string{"burned": span.String(), "sum": strconv.FormatUint(sum.Sum64(), 16)})
}
