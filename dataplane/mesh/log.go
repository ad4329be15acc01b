package mesh

import (
	"google.golang.org/protobuf/types/known/structpb"

	api "github.com/slipway-dev/slipway/api/appmeshapi"
	"github.com/slipway-dev/slipway/api/xdsapi"
)

// accessLogs are the files that a node or gateway logs requests to; its format
// is Envoy's own when none is given.
func accessLogs(l *api.Logging) []*xdsapi.AccessLog {
	file := value(value(l).AccessLog).File
	if file == nil {
		return nil
	}
	log := &xdsapi.FileAccessLog{Path: value(file.Path)}
	if f := formatOf(file.Format); f != nil {
		log.AccessLogFormat = &xdsapi.FileAccessLog_LogFormat{LogFormat: f}
	}
	return []*xdsapi.AccessLog{{Name: xdsapi.FileLog, ConfigType: &xdsapi.AccessLog_TypedConfig{TypedConfig: xdsapi.Pack(log)}}}
}

func formatOf(f *api.LoggingFormat) *xdsapi.SubstitutionFormatString {
	switch {
	case f == nil:
		return nil
	case f.Text != nil:
		return &xdsapi.SubstitutionFormatString{Format: &xdsapi.SubstitutionFormatString_TextFormatSource{TextFormatSource: &xdsapi.DataSource{
			Specifier: &xdsapi.DataSource_InlineString{InlineString: *f.Text},
		}}}
	}
	fields := map[string]*structpb.Value{}
	for _, pair := range f.Json {
		fields[value(pair.Key)] = structpb.NewStringValue(value(pair.Value))
	}
	return &xdsapi.SubstitutionFormatString{Format: &xdsapi.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}}}
}
