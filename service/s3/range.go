package s3

import (
	"strconv"
	"strings"
)

// parseRange reads a Range header of one range. ok is false for one that is to
// be ignored, as S3 does with several ranges and with what it cannot read; a
// range that lies behind the object is an error (RFC 9110, 14.1.2).
func parseRange(header string, size int64) (from, length int64, ok bool, err error) {
	spec, isBytes := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !isBytes || !dash || strings.Contains(last, ",") {
		return 0, size, false, nil
	}
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	end, lastErr := strconv.ParseInt(last, 10, 64)
	if first == "" { // the last bytes
		if lastErr != nil || end < 0 {
			return 0, size, false, nil
		}
		if end == 0 || size == 0 {
			return 0, size, false, errRange(header, size)
		}
		length = min(end, size)
		return size - length, length, true, nil
	}
	from, firstErr := strconv.ParseInt(first, 10, 64)
	if firstErr != nil || from < 0 || last != "" && (lastErr != nil || end < from) {
		return 0, size, false, nil
	}
	if from >= size {
		return 0, size, false, errRange(header, size)
	}
	if last == "" || end >= size {
		end = size - 1
	}
	return from, end - from + 1, true, nil
}

func errRange(header string, size int64) error {
	return fault(416, "InvalidRange", "The requested range is not satisfiable", "RangeRequested", header, "ActualObjectSize", decimal(size))
}

// anyETag says whether a list of ETags in a header has this one, or is "*".
func anyETag(header, etag string) bool {
	for given := range strings.SplitSeq(header, ",") {
		if sameETag(given, etag) {
			return true
		}
	}
	return false
}
