//! Which methods an endpoint knows, for answers to those that it does not (RFC 9110, 15.5.6).

use serde_json::Value;

/// The methods of every path of the API's description.
pub(crate) struct AllowedMethods(Vec<(Vec<String>, String)>);

impl AllowedMethods {
    /// Reads them from the OpenAPI document.
    pub(crate) fn of(document: &str) -> Self {
        let document: Value = serde_json::from_str(document).unwrap_or_default();
        let paths = document["paths"].as_object().into_iter().flatten();
        Self(
            paths
                .map(|(path, operations)| {
                    let methods = operations.as_object().into_iter().flatten().map(|(method, _)| method);
                    let methods: Vec<_> = methods.map(|method| method.to_ascii_uppercase()).collect();
                    (path.split('/').map(str::to_owned).collect(), methods.join(", "))
                })
                .collect(),
        )
    }

    /// The methods that a path knows, as the header wants them.
    pub(crate) fn at(&self, path: &str) -> Option<&str> {
        let segments: Vec<_> = path.split('/').collect();
        let fits = |template: &[String]| {
            template.len() == segments.len()
                && template.iter().zip(&segments).all(|(t, s)| t.starts_with('{') || t == s)
        };
        self.0.iter().find(|(template, _)| fits(template)).map(|(_, methods)| methods.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_parameters_knows_the_methods_of_its_template() {
        let allowed = AllowedMethods::of(&crate::openapi_document());
        assert_eq!(allowed.at("/orcaops/jobs"), Some("GET, POST"));
        assert_eq!(allowed.at("/orcaops/jobs/any/cancel"), Some("POST"));
        assert_eq!(allowed.at("/orcaops/jobs/any/artifacts/a%2Fb"), Some("GET"));
        assert_eq!(allowed.at("/nope"), None);
    }
}
