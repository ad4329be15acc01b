"""Values by name: ssm."""

from expect import pages, refused, same


def parameters(w):
    """Parameters in versions, with labels and tags, found by path and filter."""
    ssm = w.client("ssm")
    names = ["/story/url", "/story/db/password", "/story/zones"]
    w.undo.append(lambda: ssm.delete_parameters(Names=names))
    with refused("ParameterNotFound"):
        ssm.get_parameter(Name="/story/url")
    same(ssm.put_parameter(Name="/story/url", Value="http://a", Type="String", Description="where", Tags=[{"Key": "story", "Value": "yes"}])["Version"], 1)
    with refused("ParameterAlreadyExists"):
        ssm.put_parameter(Name="/story/url", Value="http://b", Type="String")
    put = ssm.put_parameter(Name="/story/url", Value="http://b", Overwrite=True)
    same((put["Version"], put["Tier"]), (2, "Standard"))
    ssm.put_parameter(Name="/story/db/password", Value="secret", Type="SecureString")
    ssm.put_parameter(Name="/story/zones", Value="a,b", Type="StringList", AllowedPattern="^[a-c]$")
    with refused("ParameterPatternMismatchException"):
        ssm.put_parameter(Name="/story/zones", Value="a,z", Overwrite=True)
    with refused("HierarchyTypeMismatchException"):
        ssm.put_parameter(Name="/story/zones", Value="a", Type="String", Overwrite=True)
    with refused("HierarchyLevelLimitExceededException"):
        ssm.put_parameter(Name="/a" * 16, Value="a", Type="String")
    with refused("AccessDeniedException"):
        ssm.put_parameter(Name="/aws/story", Value="a", Type="String")
    with refused("ValidationException", "4096"):
        ssm.put_parameter(Name="/story/long", Value="x" * 4097, Type="String")

    one = ssm.get_parameter(Name="/story/url")["Parameter"]
    same((one["Value"], one["Type"], one["Version"], one["DataType"]), ("http://b", "String", 2, "text"))
    same(ssm.get_parameter(Name=one["ARN"])["Parameter"]["Value"], "http://b")
    same(ssm.get_parameter(Name="/story/url:1")["Parameter"]["Selector"], ":1")
    with refused("ParameterVersionNotFound"):
        ssm.get_parameter(Name="/story/url:7")
    assert ssm.get_parameter(Name="/story/db/password")["Parameter"]["Value"] != "secret"
    same(ssm.get_parameter(Name="/story/db/password", WithDecryption=True)["Parameter"]["Value"], "secret")
    many = ssm.get_parameters(Names=["/story/url", "/story/none"])
    same(([p["Name"] for p in many["Parameters"]], many["InvalidParameters"]), (["/story/url"], ["/story/none"]))

    same(ssm.label_parameter_version(Name="/story/url", ParameterVersion=1, Labels=["prod", "aws-no"])["InvalidLabels"], ["aws-no"])
    same(ssm.get_parameter(Name="/story/url:prod")["Parameter"]["Value"], "http://a")
    same([h["Labels"] for h in pages(ssm, "get_parameter_history", "Parameters", Name="/story/url")], [["prod"], []])
    same(ssm.unlabel_parameter_version(Name="/story/url", ParameterVersion=1, Labels=["prod"])["RemovedLabels"], ["prod"])
    below = pages(ssm, "get_parameters_by_path", "Parameters", Path="/story", Recursive=True, WithDecryption=True)
    same([p["Value"] for p in below], ["secret", "http://b", "a,b"])
    same(len(pages(ssm, "get_parameters_by_path", "Parameters", Path="/story", ParameterFilters=[{"Key": "Type", "Values": ["String"]}])), 1)
    found = pages(ssm, "describe_parameters", "Parameters", ParameterFilters=[{"Key": "Name", "Option": "BeginsWith", "Values": ["/story/"]}])
    same([p["Name"] for p in found], sorted(names))
    same([p["Name"] for p in pages(ssm, "describe_parameters", "Parameters", ParameterFilters=[{"Key": "tag:story", "Values": ["yes"]}])], ["/story/url"])
    with refused("InvalidFilterKey"):
        ssm.get_parameters_by_path(Path="/story", ParameterFilters=[{"Key": "Name", "Values": ["x"]}])

    ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/story/url", Tags=[{"Key": "team", "Value": "a"}])
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId="/story/url", TagKeys=["story"])
    same(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/story/url")["TagList"], [{"Key": "team", "Value": "a"}])
    with refused("InvalidResourceId"):
        ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/story/none")
    assert ssm.get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")["Parameter"]["Value"].startswith("ami-")
    same(len(pages(ssm, "get_parameters_by_path", "Parameters", size=10, Path="/aws/service/global-infrastructure/regions")) > 10, True)
    ssm.delete_parameter(Name="/story/zones")
    same(ssm.delete_parameters(Names=names)["InvalidParameters"], ["/story/zones"])
