//! The stream below TLS.

use tokio_util::either::Either;

use super::metered::Metered;
use super::shaped::Shaped;

/// The stream that carries a connection's bytes: the loopback as it is, or a slower network.
pub type Carrier = Either<Metered, Shaped>;
