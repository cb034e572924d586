locals {
  scaled_services = { for name, service in local.services : name => service.scaling if service.scaling != null }

  scaling_policies = merge([
    for name in keys(local.scaled_services) : {
      "${name}-cpu"    = { service = name, metric = "ECSServiceAverageCPUUtilization", target = 70 }
      "${name}-memory" = { service = name, metric = "ECSServiceAverageMemoryUtilization", target = 80 }
    }
  ]...)
}

resource "aws_appautoscaling_target" "service" {
  for_each           = local.scaled_services
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.role[each.key].name}"
  min_capacity       = each.value.minimum
  max_capacity       = each.value.maximum
}

resource "aws_appautoscaling_policy" "service" {
  for_each           = local.scaling_policies
  name               = each.key
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.service[each.value.service].service_namespace
  scalable_dimension = aws_appautoscaling_target.service[each.value.service].scalable_dimension
  resource_id        = aws_appautoscaling_target.service[each.value.service].resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = each.value.target
    scale_out_cooldown = 60
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = each.value.metric
    }
  }
}
