//! A request that is refused: AWS's error codes and what EC2 says with them.

use std::borrow::Cow;

/// An error answer. `status` is HTTP's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: Cow<'static, str>,
    pub message: String,
    pub status: u16,
}

impl Refusal {
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400 }
    }

    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// A value that no request may have.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    /// `parameter` has a value that it cannot have.
    pub fn bad_value(parameter: &str, value: &str) -> Self {
        Self::invalid(format!("Value ({value}) for parameter {parameter} is invalid."))
    }

    pub fn missing(parameter: &str) -> Self {
        Self::new("MissingParameter", format!("The request must contain the parameter {parameter}"))
    }

    pub fn combination(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterCombination", message)
    }

    pub fn state(message: impl Into<String>) -> Self {
        Self::new("IncorrectState", message)
    }

    pub fn limit(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, message)
    }

    pub fn dependency(message: impl Into<String>) -> Self {
        Self::new("DependencyViolation", message)
    }

    /// Something that this cloud should do and cannot.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalError", message).status(500)
    }

    /// The body as EC2 writes it.
    pub fn ec2_body(&self, request_id: &str) -> String {
        let mut x = super::Xml::document();
        x.node("Response", |x| {
            x.node("Errors", |x| {
                x.node("Error", |x| {
                    x.text("Code", &self.code).text("Message", &self.message);
                });
            });
            x.text("RequestID", request_id);
        });
        x.finish()
    }

    /// The body as the other query services (STS, IAM) write it.
    pub fn query_body(&self, namespace: &str, request_id: &str) -> String {
        let mut x = super::Xml::document();
        x.root("ErrorResponse", namespace, |x| {
            x.node("Error", |x| {
                x.text("Type", if self.status < 500 { "Sender" } else { "Receiver" });
                x.text("Code", &self.code).text("Message", &self.message);
            });
            x.text("RequestId", request_id);
        });
        x.finish()
    }
}

/// That an id names nothing: EC2 has a code and a wording of its own for each kind of thing.
pub fn not_found(id: &str) -> Refusal {
    let prefix = id.split('-').next().unwrap_or_default();
    let (code, message) = match prefix {
        "ami" => ("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")),
        "i" => ("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist")),
        "snap" => ("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist.")),
        "vol" => ("InvalidVolume.NotFound", format!("The volume '{id}' does not exist.")),
        "sg" => ("InvalidGroup.NotFound", format!("The security group '{id}' does not exist")),
        "sgr" => ("InvalidSecurityGroupRuleId.NotFound", format!("The security group rule ID '{id}' does not exist")),
        "vpc" => ("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")),
        "subnet" => ("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist")),
        "eni" => ("InvalidNetworkInterfaceID.NotFound", format!("The networkInterface ID '{id}' does not exist")),
        "key" => ("InvalidKeyPair.NotFound", format!("The key pair '{id}' does not exist")),
        "lt" => (
            "InvalidLaunchTemplateId.NotFound",
            format!("The specified launch template, with template ID {id}, does not exist."),
        ),
        "sir" => {
            ("InvalidSpotInstanceRequestID.NotFound", format!("The spot instance request ID '{id}' does not exist"))
        }
        "fleet" => ("InvalidFleetId.NotFound", format!("The fleet ID '{id}' does not exist")),
        "igw" => ("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist")),
        "rtb" => ("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist")),
        _ => ("InvalidID", format!("The ID '{id}' is not valid")),
    };
    Refusal::new(code, message)
}

/// Ids of each kind have one form; EC2 tells a malformed one from an unknown one.
pub fn well_formed(id: &str, prefix: &str) -> Result<(), Refusal> {
    let rest = id.strip_prefix(prefix).and_then(|r| r.strip_prefix('-'));
    if rest.is_some_and(|r| {
        matches!(r.len(), 8 | 17) && r.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    }) {
        return Ok(());
    }
    let code = match prefix {
        "ami" => "InvalidAMIID.Malformed",
        "i" => "InvalidInstanceID.Malformed",
        "snap" => "InvalidSnapshotID.Malformed",
        "vol" => "InvalidVolumeID.Malformed",
        "sg" => "InvalidGroupId.Malformed",
        "vpc" => "InvalidVpcID.Malformed",
        "subnet" => "InvalidSubnetID.Malformed",
        _ => "InvalidParameterValue",
    };
    Err(Refusal::new(code, format!("Invalid id: \"{id}\" (expecting \"{prefix}-...\")")))
}
