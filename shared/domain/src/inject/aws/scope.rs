//! Region and signing name of an AWS endpoint, read from its host name.
//!
//! The rules are AWS's own: `[resource.]service.region.suffix`, and the exceptions below. The test compares them with
//! the endpoints that AWS's Python SDK computes for every service, in four partitions.

/// What a request is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsScope<'h> {
    pub region: &'h str,
    /// The service's signing name, which is not always its host label: `bedrock-runtime` signs as `bedrock`.
    pub service: &'h str,
}

/// DNS suffixes and the region of hosts that name none.
const SUFFIXES: [(&str, Option<&str>); 7] = [
    (".api.amazonwebservices.com.cn", None),
    (".api.amazonwebservices.eu", None),
    (".amazonaws.com.cn", Some("cn-northwest-1")),
    (".amazonaws.com", Some("us-east-1")),
    (".amazonaws.eu", Some("eusc-de-east-1")),
    (".api.aws", None),
    (".on.aws", None),
];

/// Host labels that differ from the signing name, looked up as the last label before the region or, with one dot, the
/// last two. `*.` stands for any label. Sorted.
const SIGNING_NAMES: [(&str, &str); 60] = [
    ("*.iot", "iotdata"),
    ("*.marketplace", "aws-marketplace"),
    ("account-access-runtime", "account-access"),
    ("agent-registry-control", "agent-registry"),
    ("agreement-marketplace", "aws-marketplace"),
    ("aos", "es"),
    ("appconfigdata", "appconfig"),
    ("appstream2", "appstream"),
    ("appsync-api", "appsync"),
    ("aps-workspaces", "aps"),
    ("bedrock-agent", "bedrock"),
    ("bedrock-agent-runtime", "bedrock"),
    ("bedrock-agentcore-control", "bedrock-agentcore"),
    ("bedrock-data-automation", "bedrock"),
    ("bedrock-data-automation-runtime", "bedrock"),
    ("bedrock-runtime", "bedrock"),
    ("cassandra-streams", "cassandra"),
    ("cloudhsmv2", "cloudhsm"),
    ("cloudsearchdomain", "cloudsearch"),
    ("cloudwatch-omni", "cloudwatch"),
    ("contact-lens", "connect"),
    ("data-signer", "signer"),
    ("ddb", "dynamodb"),
    ("deployment-marketplace", "aws-marketplace"),
    ("discovery-marketplace", "aws-marketplace"),
    ("email", "ses"),
    ("eventsv2", "events"),
    ("forecastquery", "forecast"),
    ("iam-toolbox", "iam"),
    ("identity-chime", "chime"),
    ("iot-tunneling", "IoTSecuredTunneling"),
    ("ivsrealtime", "ivs"),
    ("jobs.iot", "iot-jobs-data"),
    ("lambda-url", "lambda"),
    ("mail-manager", "ses"),
    ("media-pipelines-chime", "chime"),
    ("meetings-chime", "chime"),
    ("memory-db", "memorydb"),
    ("messaging-chime", "chime"),
    ("metering-marketplace", "aws-marketplace"),
    ("migrationhub-config", "mgh"),
    ("models-v2-lex", "lex"),
    ("neptune", "neptune-db"),
    ("oidc", "sso-oauth"),
    ("participant.connect", "execute-api"),
    ("partnercentral-prm", "partnercentral"),
    ("personalize-events", "personalize"),
    ("personalize-runtime", "personalize"),
    ("pinpoint", "mobiletargeting"),
    ("portal.sso", "awsssoportal"),
    ("queue", "sqs"),
    ("reporting-marketplace", "aws-marketplace"),
    ("runtime-v2-lex", "lex"),
    ("s3-accesspoint", "s3"),
    ("s3-control", "s3"),
    ("servicecatalog-appregistry", "servicecatalog"),
    ("sms-voice.pinpoint", "sms-voice"),
    ("streams.dynamodb", "dynamodb"),
    ("tunneling.iot", "IoTSecuredTunneling"),
    ("voice-chime", "chime"),
];

/// Services whose endpoints put the region before the service, as in `search-x.us-east-1.es.amazonaws.com`.
const REGION_FIRST: [&str; 6] = ["aoss", "cloudsearch", "elasticmapreduce", "es", "neptune", "queue"];

/// Hosts under AWS's suffixes that take no SigV4 (load balancers and machines of any customer, static sites) or
/// another kind of signature (S3 Express sessions).
const UNSIGNED: [&str; 5] = ["compute", "elb", "email-smtp", "s3-website", "vpce"];

impl<'h> AwsScope<'h> {
    /// Reads a lower-case host name. `None` when the region or service cannot be told: an accelerated or multi-region
    /// S3 host names no region, and other hosts are not AWS's API.
    pub fn of_host(host: &'h str) -> Option<Self> {
        let (rest, home) = SUFFIXES.iter().find_map(|(s, region)| Some((host.strip_suffix(s)?, *region)))?;
        let only_function_urls = host.ends_with(".on.aws");
        let (before, last) = split_last(rest);
        let scope = if is_region(last) {
            Self { region: last, service: service(before)? }
        } else if last == "us-gov" {
            Self { region: "us-gov-west-1", service: service(before)? }
        } else if last == "global" && host.ends_with(".api.aws") {
            Self { region: "us-east-1", service: service(before)? }
        } else if let Some(region) = legacy_s3_region(last) {
            Self { region, service: "s3" }
        } else if last == "s3" {
            Self { region: home?, service: "s3" }
        } else if REGION_FIRST.contains(&last) && !before.is_empty() {
            let region = split_last(before).1;
            Self { region: is_region(region).then_some(region)?, service: service(last)? }
        } else if before.is_empty() || before == "global" {
            Self { region: home?, service: service(last)? }
        } else {
            return None;
        };
        (!only_function_urls || scope.service == "lambda").then_some(scope)
    }

    /// S3 reads the path as it is sent; other services encode it once more before they compare signatures.
    pub(super) fn is_s3(&self) -> bool {
        matches!(self.service, "s3" | "s3-outposts" | "s3-object-lambda")
    }
}

/// The signing name of what stands before the region.
fn service(labels: &str) -> Option<&str> {
    let labels = labels.strip_suffix(".dualstack").unwrap_or(labels);
    let (before, last) = split_last(labels);
    let last = without_fips(last);
    let previous = without_fips(split_last(before).1);
    if last.is_empty() || UNSIGNED.contains(&last) || last.starts_with("s3express-") {
        return None;
    }
    let find = |wanted: &str, own: &str| {
        SIGNING_NAMES.iter().find(|(label, _)| match label.split_once('.') {
            Some(("*", tail)) => wanted == "*" && tail == own,
            Some((head, tail)) => head == wanted && tail == own,
            None => wanted.is_empty() && *label == own,
        })
    };
    let exact = if previous.is_empty() { None } else { find(previous, last) };
    let any = || if previous.is_empty() { None } else { find("*", last) };
    Some(exact.or_else(any).or_else(|| find("", last)).map_or(last, |(_, name)| name))
}

fn without_fips(label: &str) -> &str {
    if label == "fips" { "" } else { label.strip_suffix("-fips").unwrap_or(label) }
}

/// `s3-us-west-2` and `s3-external-1`, the forms before 2019.
fn legacy_s3_region(label: &str) -> Option<&str> {
    let region = label.strip_prefix("s3-")?;
    if region == "external-1" { Some("us-east-1") } else { is_region(region).then_some(region) }
}

/// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`.
fn is_region(label: &str) -> bool {
    let mut parts = label.rsplit('-');
    let number = parts.next().unwrap_or_default();
    let (names, letters) = parts.fold((0, true), |(n, ok), part| (n + 1, ok && is_letters(part)));
    let first = label.split('-').next().unwrap_or_default();
    matches!(number.len(), 1 | 2)
        && number.bytes().all(|b| b.is_ascii_digit())
        && names >= 2
        && letters
        && matches!(first.len(), 2..=4)
}

fn is_letters(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase())
}

fn split_last(labels: &str) -> (&str, &str) {
    labels.rsplit_once('.').unwrap_or(("", labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str) -> Option<(&str, &str)> {
        AwsScope::of_host(host).map(|scope| (scope.service, scope.region))
    }

    #[test]
    fn table_is_sorted() {
        assert!(SIGNING_NAMES.is_sorted());
    }

    /// `testdata/aws-endpoints.txt`: host, signing name and region of every service as botocore 1.44.5 computes them.
    #[test]
    fn agrees_with_the_endpoints_of_every_service() {
        let (mut count, mut wrong) = (0, Vec::new());
        for line in include_str!("testdata/aws-endpoints.txt").lines().filter(|l| !l.starts_with('#')) {
            let [host, service, region] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            count += 1;
            if of(host) != Some((service, region)) {
                wrong.push((line, of(host)));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert!(count > 300, "{count}");
    }

    #[test]
    fn resources_in_the_host() {
        for (host, service, region) in [
            ("bucket.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("my.dotted.bucket.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("us-west-2.s3.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("us-west-2.s3.amazonaws.com", "s3", "us-east-1"),
            ("s3.amazonaws.com", "s3", "us-east-1"),
            ("bucket.s3.amazonaws.com", "s3", "us-east-1"),
            ("bucket.s3-us-west-2.amazonaws.com", "s3", "us-west-2"),
            ("s3-external-1.amazonaws.com", "s3", "us-east-1"),
            ("bucket.s3.dualstack.ap-south-1.amazonaws.com", "s3", "ap-south-1"),
            ("bucket.s3-fips.us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1"),
            ("bucket.s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1"),
            ("name-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("123456789012.s3-control.eu-west-1.amazonaws.com", "s3", "eu-west-1"),
            ("name-1.s3-object-lambda.eu-west-1.amazonaws.com", "s3-object-lambda", "eu-west-1"),
            ("abc.execute-api.eu-west-1.amazonaws.com", "execute-api", "eu-west-1"),
            ("abc.lambda-url.eu-west-1.on.aws", "lambda", "eu-west-1"),
            ("search-x-abc.us-east-1.es.amazonaws.com", "es", "us-east-1"),
            ("abc.us-east-1.aoss.amazonaws.com", "aoss", "us-east-1"),
            ("doc-x.us-east-1.cloudsearch.amazonaws.com", "cloudsearch", "us-east-1"),
            ("db.cluster-abc.us-east-1.neptune.amazonaws.com", "neptune-db", "us-east-1"),
            ("us-east-2.queue.amazonaws.com", "sqs", "us-east-2"),
            ("queue.amazonaws.com", "sqs", "us-east-1"),
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "ecr", "us-east-1"),
            ("abc-ats.iot.us-east-1.amazonaws.com", "iotdata", "us-east-1"),
            ("iot.us-east-1.amazonaws.com", "iot", "us-east-1"),
            ("ingest-cell1.timestream.us-east-1.amazonaws.com", "timestream", "us-east-1"),
            ("abc.appsync-api.us-east-1.amazonaws.com", "appsync", "us-east-1"),
            ("aps-workspaces.us-east-1.amazonaws.com", "aps", "us-east-1"),
            ("123456789012.ddb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
            ("sts.amazonaws.com", "sts", "us-east-1"),
            ("sts.eu-central-1.amazonaws.com", "sts", "eu-central-1"),
        ] {
            assert_eq!(of(host), Some((service, region)), "{host}");
        }
    }

    #[test]
    fn hosts_that_cannot_be_signed_for() {
        for host in [
            "",
            "amazonaws.com",
            ".amazonaws.com",
            "us-east-1.amazonaws.com",
            "s3.amazonaws.com.evil.example",
            "evilamazonaws.com",
            "bucket.s3-accelerate.amazonaws.com",
            "bucket.s3-accelerate.dualstack.amazonaws.com",
            "m.mrap.accesspoint.s3-global.amazonaws.com",
            "bucket.s3-website.eu-central-1.amazonaws.com",
            "bucket.s3-website-us-east-1.amazonaws.com",
            "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
            "ec2-1-2-3-4.us-west-2.compute.amazonaws.com",
            "ec2-1-2-3-4.compute-1.amazonaws.com",
            "lb-123.us-east-1.elb.amazonaws.com",
            "lb-123.elb.us-east-1.amazonaws.com",
            "db.abc.us-east-1.rds.amazonaws.com",
            "s3.us-east-1.vpce.amazonaws.com",
            "console.on.aws",
            "abc.other.us-east-1.on.aws",
            "d111111abcdef8.cloudfront.net",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
    }
}
