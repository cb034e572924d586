# GitHub's word on which repository and ref a pipeline runs for; who may do what with it is said in ../iam_pipeline.tf.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}
