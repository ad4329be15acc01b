# What services read at run time: a bucket, and parameters.

resource "aws_s3_bucket" "files" {
  bucket        = "microservices-files-${var.environment}-${data.aws_caller_identity.this.account_id}"
  force_destroy = true
}

resource "aws_s3_bucket_versioning" "files" {
  bucket = aws_s3_bucket.files.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "files" {
  bucket                  = aws_s3_bucket.files.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "files" {
  bucket = aws_s3_bucket.files.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

data "aws_iam_policy_document" "tls" {
  statement {
    sid       = "TLSOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.files.arn, "${aws_s3_bucket.files.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }
}

resource "aws_s3_bucket_policy" "files" {
  bucket     = aws_s3_bucket.files.id
  policy     = data.aws_iam_policy_document.tls.json
  depends_on = [aws_s3_bucket_public_access_block.files]
}

resource "aws_s3_object" "greeting" {
  bucket       = aws_s3_bucket.files.id
  key          = "greetings/hello.txt"
  content      = "release ${var.release}\n"
  content_type = "text/plain"
  depends_on   = [aws_s3_bucket_versioning.files]
}

resource "aws_ssm_parameter" "level" {
  name        = "/microservices/${var.environment}/level"
  description = "How much is logged"
  type        = "String"
  value       = "info"
}

resource "aws_ssm_parameter" "token" {
  name  = "/microservices/${var.environment}/token"
  type  = "SecureString"
  value = "of release ${var.release}"
}
