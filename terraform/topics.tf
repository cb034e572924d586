locals {
  topics = toset(["general", "indexer", "database"])

  subscriptions = merge([
    for topic, emails in var.alarm_emails : {
      for email in emails : "${topic}/${email}" => { topic = topic, email = email }
    }
  ]...)
}

resource "aws_sns_topic" "alarms" {
  for_each          = local.topics
  name              = "${local.name}-${each.key}"
  kms_master_key_id = aws_kms_key.main.arn
}

resource "aws_sns_topic_policy" "alarms" {
  for_each = local.topics
  arn      = aws_sns_topic.alarms[each.key].arn
  policy   = data.aws_iam_policy_document.alarms[each.key].json
}

data "aws_iam_policy_document" "alarms" {
  for_each = local.topics

  statement {
    sid       = "AlarmsAndEventsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[each.key].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.account_id]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = local.subscriptions
  topic_arn = aws_sns_topic.alarms[each.value.topic].arn
  protocol  = "email"
  endpoint  = each.value.email
}

# A deployment that ECS took back, or could not finish.
resource "aws_cloudwatch_event_rule" "deployments" {
  name        = "${local.name}-deployment-failed"
  description = "A deployment of a service failed or was rolled back"
  event_pattern = jsonencode({
    source      = ["aws.ecs"]
    detail-type = ["ECS Deployment State Change"]
    resources   = [for service in aws_ecs_service.role : service.id]
    detail      = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] }
  })
}

resource "aws_cloudwatch_event_target" "deployments" {
  rule = aws_cloudwatch_event_rule.deployments.name
  arn  = aws_sns_topic.alarms["general"].arn
}
