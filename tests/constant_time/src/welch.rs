//! Whether two classes of timings differ: Welch's t-test, as in O. Reparaz, J. Balasch and I. Verbauwhede, "Dude, is my code
//! constant time?", DATE 2017.

/// Which of the two classes of inputs it was, and how long it took.
pub type Sample = (bool, f64);

/// Shares of the samples to look at, the fastest ones: interruptions are in the slowest.
const SHARES: [f64; 6] = [0.5, 0.75, 0.9, 0.95, 0.99, 1.0];

/// The largest |t| over some croppings of `samples`. Without a leak it is rarely above 4.5; above 10 there is one, or the
/// machine did something else meanwhile.
#[must_use]
pub fn largest_t(samples: &[Sample]) -> f64 {
    let mut times: Vec<f64> = samples.iter().map(|&(_, time)| time).collect();
    times.sort_by(f64::total_cmp);
    let t_below = |share| {
        let slowest = slowest_of(&times, share);
        let kept = samples.iter().filter(|&&(_, time)| time <= slowest);
        let (mut one, mut other) = (Moments::default(), Moments::default());
        kept.for_each(|&(class, time)| if class { one.add(time) } else { other.add(time) });
        t(&one, &other).abs()
    };
    SHARES.into_iter().map(t_below).fold(0.0, f64::max)
}

/// The slowest of this share of sorted `times`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "an index")]
fn slowest_of(times: &[f64], share: f64) -> f64 {
    let kept = (times.len() as f64 * share) as usize;
    times.get(kept.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
}

/// Welch's t. Infinite if both classes are constant, and different.
fn t(one: &Moments, other: &Moments) -> f64 {
    let difference = one.mean - other.mean;
    if difference == 0.0 { 0.0 } else { difference / (one.variance_of_mean() + other.variance_of_mean()).sqrt() }
}

/// Mean and variance of what was added (B. P. Welford, 1962).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, time: f64) {
        self.count += 1.0;
        let difference = time - self.mean;
        self.mean += difference / self.count;
        self.squares += difference * (time - self.mean);
    }

    fn variance_of_mean(&self) -> f64 {
        self.squares / (self.count - 1.0).max(1.0) / self.count.max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, largest_t};

    /// Computed by hand: means 2 and 4, variances 1 and 4, three samples each.
    #[test]
    fn t_is_that_of_the_formula() {
        let samples: [Sample; 6] = [(true, 1.0), (true, 2.0), (true, 3.0), (false, 2.0), (false, 4.0), (false, 6.0)];
        // 2 / sqrt(1/3 + 4/3), of all samples; of the fastest 5: means 2 and 3, variances 1 and 2, 1 / sqrt(1/3 + 1).
        assert!((largest_t(&samples) - 2.0 / (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
