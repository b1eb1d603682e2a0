//! Options of the machine in EC2's form: metadata service, placement, licences, capacity reservations. And waiting for it.

use aws_sdk_ec2::types as ec2;

use super::config::RunConfig;
use super::work::Work;
use crate::cloud::{InstanceGoal, Polling, Wait};
use crate::run::Failure;

fn text(s: &str) -> Option<String> {
    (!s.is_empty()).then(|| s.to_owned())
}

impl Work<'_> {
    /// The user's pace of waiting.
    pub fn polling(&self) -> Polling {
        self.config.access.polling()
    }

    /// Waits until an instance is in a state, and says on the screen what it waits for.
    pub async fn await_instance(&self, id: &str, goal: InstanceGoal) -> Result<ec2::Instance, Failure> {
        let on_change = |state: &str, _: Option<u8>| self.cx.waiting(Some(&format!("{id} is {state}")));
        let wait = Wait::new(&self.cx.cancel, &on_change, self.polling());
        let instance = self.region.instance(id, goal, wait).await;
        self.cx.waiting(None);
        instance
    }

    /// `None` where the template says nothing: then the image's own settings hold.
    pub fn metadata_options(&self) -> Option<ec2::InstanceMetadataOptionsRequest> {
        let options = self.config.run.metadata_options.as_ref()?;
        let written = !options.http_endpoint.is_empty()
            || !options.http_tokens.is_empty()
            || !options.instance_metadata_tags.is_empty()
            || options.http_put_response_hop_limit.is_some();
        written.then(|| {
            ec2::InstanceMetadataOptionsRequest::builder()
                .set_http_endpoint(text(&options.http_endpoint).map(|s| s.as_str().into()))
                .set_http_tokens(text(&options.http_tokens).map(|s| s.as_str().into()))
                .set_instance_metadata_tags(text(&options.instance_metadata_tags).map(|s| s.as_str().into()))
                .set_http_put_response_hop_limit(
                    options.http_put_response_hop_limit.and_then(|n| i32::try_from(n).ok()),
                )
                .build()
        })
    }

    /// The same for a launch template.
    pub fn template_metadata_options(&self) -> Option<ec2::LaunchTemplateInstanceMetadataOptionsRequest> {
        let options = self.metadata_options()?;
        Some(
            ec2::LaunchTemplateInstanceMetadataOptionsRequest::builder()
                .set_http_endpoint(options.http_endpoint().map(|s| s.as_str().into()))
                .set_http_tokens(options.http_tokens().map(|s| s.as_str().into()))
                .set_instance_metadata_tags(options.instance_metadata_tags().map(|s| s.as_str().into()))
                .set_http_put_response_hop_limit(options.http_put_response_hop_limit())
                .build(),
        )
    }

    /// `None` where the template leaves it to AWS.
    pub fn placement(&self, zone: &str) -> Option<ec2::Placement> {
        let placement = self.config.run.placement.clone().unwrap_or_default();
        let tenancy = text(self.config.run.tenancy());
        let open = zone.is_empty()
            && tenancy.is_none()
            && placement.host_id.is_empty()
            && placement.host_resource_group_arn.is_empty();
        (!open).then(|| {
            ec2::Placement::builder()
                .set_availability_zone(text(zone))
                .set_tenancy(tenancy.map(|t| t.as_str().into()))
                .set_host_id(text(&placement.host_id))
                .set_host_resource_group_arn(text(&placement.host_resource_group_arn))
                .build()
        })
    }

    pub fn licences(&self) -> Option<Vec<ec2::LicenseConfigurationRequest>> {
        let written =
            self.config.run.license_specifications.iter().filter_map(|s| s.license_configuration_request.as_ref());
        let licences: Vec<_> = written
            .map(|l| &l.license_configuration_arn)
            .map(|arn| ec2::LicenseConfigurationRequest::builder().license_configuration_arn(arn).build())
            .collect();
        (!licences.is_empty()).then_some(licences)
    }

    /// Packer's default is to use no reservation that is open to everybody.
    pub fn capacity_reservation(&self) -> ec2::CapacityReservationSpecification {
        capacity_reservation(&self.config.run)
    }
}

fn capacity_reservation(config: &RunConfig) -> ec2::CapacityReservationSpecification {
    let reservation = ec2::CapacityReservationSpecification::builder();
    let (id, group) = (text(&config.capacity_reservation_id), text(&config.capacity_reservation_group_arn));
    if id.is_some() || group.is_some() {
        let target = ec2::CapacityReservationTarget::builder()
            .set_capacity_reservation_id(id)
            .set_capacity_reservation_resource_group_arn(group)
            .build();
        return reservation.capacity_reservation_target(target).build();
    }
    let preference = text(&config.capacity_reservation_preference).unwrap_or_else(|| "none".to_owned());
    reservation.capacity_reservation_preference(preference.as_str().into()).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_reservations_are_not_used_unless_the_template_says_so() {
        let config = RunConfig::default();
        let preference = |c: &RunConfig| capacity_reservation(c).capacity_reservation_preference().cloned();
        assert_eq!(preference(&config), Some(ec2::CapacityReservationPreference::None));
        let open = RunConfig { capacity_reservation_preference: "open".into(), ..config.clone() };
        assert_eq!(preference(&open), Some(ec2::CapacityReservationPreference::Open));
        let one = RunConfig { capacity_reservation_id: "cr-1".into(), ..config };
        assert_eq!(preference(&one), None);
        let target = capacity_reservation(&one).capacity_reservation_target().cloned().unwrap();
        assert_eq!(target.capacity_reservation_id(), Some("cr-1"));
    }
}
