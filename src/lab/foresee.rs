//! What a run would cost, without the run: the same prediction that stands beside its figures.

use super::Lab;
use crate::link::tls;
use crate::outcome::Prediction;
use crate::outcome::sweep::Foreseen;
use crate::technique::{Origin, Setting, Technique};
use crate::theory::Handshake;

/// Where servers are if there are none: on a port of five digits, as the system hands out.
const SOMEWHERE: &str = "127.0.0.1:50000";

impl Lab {
    /// What the model says of a technique in this scenario.
    ///
    /// # Errors
    /// If TLS handshakes cannot be rehearsed.
    pub fn foresee(&self, technique: &Technique) -> anyhow::Result<Foreseen> {
        Ok(self.foresee_with(technique, self.handshakes()?))
    }

    /// What TLS handshakes weigh, where connections are encrypted: a client's first, and each further one.
    /// The same for every technique.
    pub(super) fn handshakes(&self) -> anyhow::Result<Option<[Handshake; 2]>> {
        let identity = self.identity.as_ref();
        let rehearsed = identity
            .map(|i| tls::rehearse(i, self.scenario.http))
            .transpose()?;
        Ok(rehearsed.map(|[first, resumed]| match self.scenario.tls_resumes {
            true => [first, resumed],
            false => [first, first],
        }))
    }

    pub(super) fn foresee_with(&self, technique: &Technique, handshakes: Option<[Handshake; 2]>) -> Foreseen {
        let origin = Origin {
            encrypted: self.identity.is_some(),
            authority: SOMEWHERE.into(),
        };
        Foreseen {
            technique: technique.name.into(),
            expected: (self.plan.mails.len() * self.scenario.clients) as u64,
            predicted: self.predict(technique, &origin, handshakes),
        }
    }

    fn predict(
        &self,
        technique: &Technique,
        origin: &Origin,
        handshakes: Option<[Handshake; 2]>,
    ) -> Prediction {
        (technique.predict)(&Setting {
            scenario: &self.scenario,
            plan: &self.plan,
            headers: &self.headers,
            origin,
            handshakes,
            estimate: true,
        })
    }
}
