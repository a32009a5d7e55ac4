/** Labels of a product's image, as a build writes them and the list of images reads them. */
export const IMAGE_LABELS = {
  version: 'slipway.version',
  branch: 'slipway.branch',
  commit: 'slipway.commit',
  built: 'slipway.built',
} as const;
