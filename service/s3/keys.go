package s3

import (
	"fmt"
	"math"
	"strings"

	"github.com/slipway-dev/slipway/kernel/arn"
)

// Keys of rows keep the order of object keys, which is that of their bytes. An
// object key ends with a byte pair that sorts before any continuation; a zero
// byte within it is escaped so that it sorts after that.
const keyEnd = "\x00\x01"

func escaped(key string) string { return strings.ReplaceAll(key, "\x00", "\x00\x02") }

// objectsKey begins the keys of all versions in a bucket whose object keys begin
// with prefix.
func objectsKey(scope arn.Scope, bucket, prefix string) string {
	return scope.Key(bucket, escaped(prefix))
}

// versionsKey begins the keys of all versions of one object.
func versionsKey(scope arn.Scope, bucket, key string) string {
	return objectsKey(scope, bucket, key) + keyEnd
}

// versionKey makes newer versions sort first.
func versionKey(scope arn.Scope, bucket, key string, seq uint64) string {
	return versionsKey(scope, bucket, key) + fmt.Sprintf("%016x", math.MaxUint64-seq)
}

func uploadKey(scope arn.Scope, bucket, key, id string) string {
	return versionsKey(scope, bucket, key) + id
}

func partKey(scope arn.Scope, upload string, number int32) string {
	return scope.Key(upload, fmt.Sprintf("%05d", number))
}

// past is the least string that is greater than all that begin with prefix;
// false when there is none.
func past(prefix string) (string, bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1}), true
		}
	}
	return "", false
}
